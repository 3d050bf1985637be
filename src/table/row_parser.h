// How a text format turns a record into cells. One for each format; the decoder around them is
// text_decoder.cpp.
#pragma once

#include "table/cell.h"
#include "table/text_reader.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

enum class Parsed {
  kRow,        // a cell for each column of the schema
  kNothing,    // an empty line
  kBadCells,   // the shape was right; cells that are not good say which
  kBadRecord,  // no cells
};

// Interface. Stateful: the cells' texts live until the next record.
class RowParser {
 public:
  virtual ~RowParser() = default;

  virtual RecordScanner& scanner() = 0;

  // Takes the columns' names from the text's start: from its header, behind which `records` then
  // stands, or, where the format has none, from its first records, which a new reader then gives
  // again.
  virtual Result<std::vector<std::string>> read_names(RecordReader& records) = 0;
  virtual bool has_header() const = 0;

  // Before the first record: which columns are wanted. `names` are the ones that read_names gave.
  virtual void want(const Schema& schema, const std::vector<std::string>& names) = 0;

  // The record that the scanner saw last. A bad one has a reason.
  virtual Parsed parse(const Record& record, std::vector<Cell>& cells, std::string& reason) = 0;
};

Result<std::unique_ptr<RowParser>> make_csv_parser(const DecodeRequest& request);
Result<std::unique_ptr<RowParser>> make_ndjson_parser(const DecodeRequest& request);

// "column 'age': '7x' is not an int"
std::string bad_cell_reason(const Field& field, std::string_view text);

}  // namespace lockstep
