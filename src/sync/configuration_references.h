// What names what in lockstep.yaml: datasets their sources and tables, models their datasets.
#pragma once

#include "base/result.h"
#include "source/source.h"
#include "sync/configuration.h"

#include <string>
#include <vector>

namespace lockstep {

// Checks that what is named is there, and tells the source from its table in each dataset's `from`.
Result<void> resolve_references(Configuration& configuration);

// The datasets that a source feeds, in the order of the file, each with the place of it in their
// `from`. As many, and in the same order, are the targets of its request.
struct FedDataset {
  const DatasetConfiguration* dataset = nullptr;
  std::size_t place = 0;
};

std::vector<FedDataset> fed_datasets(const Configuration& configuration, const std::string& source);

// Whether its type may feed several datasets, a table each.
bool has_tables(const SourceConfiguration& source);

// What a source is made with. The targets' columns are those declared.
SourceRequest source_request(const Configuration& configuration, const SourceConfiguration& source);

// Of a dataset among the targets of a source that feeds it.
int target_of(const Configuration& configuration,
              const std::string& source,
              const std::string& dataset);

// "clinic", or "clinic.public.visits": as `from` has it.
std::string from_text(const DatasetConfiguration& dataset, std::size_t place);

}  // namespace lockstep
