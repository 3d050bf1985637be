#include "table/codec.h"

#include "table/files.h"
#include "table/values.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

struct All {
  Batch rows;
  std::vector<std::uint64_t> lines;
  std::vector<BadRow> bad;
  std::uint64_t offset = 0;
};

Result<All> decode(test::Folder& folder,
                   const std::string& name,
                   const DecodeRequest& request,
                   int piece = 3) {
  auto decoder = TRY(open_decoder(folder.io(), folder.path(name), request));
  All out;
  std::vector<Batch> parts;
  for (;;) {
    Decoded one = TRY(decoder->next(piece));
    if (one.rows.row_count() == 0 && one.bad.empty()) break;
    EXPECT_LE(one.rows.row_count() + static_cast<std::int64_t>(one.bad.size()), piece);
    EXPECT_EQ(one.lines.size(), static_cast<std::size_t>(one.rows.row_count()));
    parts.push_back(one.rows);
    out.lines.insert(out.lines.end(), one.lines.begin(), one.lines.end());
    for (BadRow& bad : one.bad)
      out.bad.push_back(std::move(bad));
  }
  out.rows = TRY(concatenate(request.schema, parts));
  out.offset = decoder->offset();
  return out;
}

DecodeRequest request_of(const std::string& name, Schema schema) {
  DecodeRequest request;
  request.format = format_of_path(name).value();
  request.schema = std::move(schema);
  return request;
}

// Rows as "1|x|null" lines, bad ones as "line: reason".
std::string told(const Result<All>& all) {
  if (!all.ok()) return "error: " + all.error().message;
  std::string out;
  const Batch& rows = all.value().rows;
  for (std::int64_t row = 0; row < rows.row_count(); ++row) {
    for (int column = 0; column < rows.schema().size(); ++column) {
      if (column > 0) out += "|";
      out += rows.is_null(column, row) ? "null" : value_text(rows.value(column, row));
    }
    out += "@" + std::to_string(all.value().lines[static_cast<std::size_t>(row)]) + ";";
  }
  for (const BadRow& bad : all.value().bad)
    out += std::to_string(bad.line) + ": " + bad.reason + ";";
  return out;
}

const Schema kTwo({{"a", Type::kInt}, {"b", Type::kText}});

struct TextCase {
  std::string text;
  std::string expected;
};

void check_texts(const std::string& name, const std::vector<TextCase>& cases) {
  test::Folder folder;
  for (const TextCase& one : cases) {
    folder.write(name, one.text);
    std::string found = told(decode(folder, name, request_of(name, kTwo)));
    const std::string path = folder.path(name);
    for (std::size_t at = found.find(path); at != std::string::npos; at = found.find(path)) {
      found.replace(at, path.size(), "F");
    }
    EXPECT_EQ(found, one.expected) << one.text;
  }
}

TEST(Csv, ReadsRowsAndTellsWhyOthersAreBad) {
  using namespace std::string_literals;
  // clang-format off
  check_texts("t.csv", {
      {"a,b\n1,x\n2,y\n", "1|x@2;2|y@3;"},
      {"a,b\r\n1,x\r\n2,y", "1|x@2;2|y@3;"},
      {"a,b\n1,x\r", "1|x@2;"},
      {"\xEF\xBB\xBF" "a,b\n1,x\n", "1|x@2;"},
      {"b,c,a\nx,7,1\n", "1|x@2;"},
      {"a,b\n,\n1,\"\"\n", "null|null@2;1|@3;"},
      {"a,b\n1,\"two\nlines, and \"\"quotes\"\"\"\n2,z\n", "1|two\nlines, and \"quotes\"@2;2|z@4;"},
      {"a,b\n\n1,x\n\n\n2,y\n\n", "1|x@3;2|y@6;"},
      {"a,b\n1\n2,y\n3,x,4\n", "2|y@3;2: the record has 1 field, the header has 2;4: the record has 3 fields, the header has 2;"},
      {"a,b\n7x,x\n2,y\n", "2|y@3;2: column 'a': '7x' is not an int;"},
      {"a,b\n1.0,x\n", "2: column 'a': '1.0' is not an int;"},
      {"a,b\n\"\",x\n", "2: column 'a': '' is not an int;"},
      {"a,b\n9223372036854775808,x\n", "2: column 'a': '9223372036854775808' is not an int;"},
      {"a,b\n1,x\"y\n2,z\n", "2|z@3;2: a quote inside a field that is not quoted;"},
      {"a,b\n1,\"x\"y\n2,z\n", "2|z@3;2: text behind a closing quote;"},
      {"a,b\n1,\"x\n2,z\n", "2: a quote that opens here is never closed;"},
      {"a,b\n1,x\0y\n2,z\n"s, "2|z@3;2: the record holds a NUL byte;"},
      {"a,b\n1,x\n2,\xFFz\n", "error: reading F: line 3, at byte 10: this is not utf-8 text"},
      {"a,b\n1,x\xC3", "error: reading F: line 2, at byte 7: this is not utf-8 text"},
      {"", "error: reading F: there is no header line"},
      {"a,b,a\n1,x,2\n", "error: reading F: the header names the column 'a' twice"},
      {"a,c\n1,x\n", "error: reading F: there is no column 'b'"},
      {"a,b\n", ""},
      {"a,b", ""},
  });
  check_texts("t.tsv", {{"a\tb\n1\tx,y\n", "1|x,y@2;"}, {"a\tb\n1\t\"x\ty\"\n", "1|x\ty@2;"}});
  // clang-format on
}

TEST(Ndjson, ReadsRowsAndTellsWhyOthersAreBad) {
  // clang-format off
  check_texts("t.ndjson", {
      {"{\"a\":1,\"b\":\"x\"}\n{\"b\":\"y\",\"a\":2}", "1|x@1;2|y@2;"},
      {"{\"a\":null,\"b\":\"\"}\n\n{\"b\":\"y\"}\n", "null|@1;null|y@3;"},
      {"{\"a\":1,\"b\":\"\\u00e9\\n\",\"c\":{\"d\":[1]}}\n", "1|é\n@1;"},
      {"{\"a\":\"1\",\"b\":\"x\"}\n", "1: column 'a': the text '1' is not an int;"},
      {"{\"a\":1.0,\"b\":\"x\"}\n", "1: column 'a': '1.0' is not an int;"},
      {"{\"a\":9223372036854775808,\"b\":\"x\"}\n", "1: column 'a': '9223372036854775808' is not an int;"},
      {"{\"a\":1,\"b\":7}\n", "1: column 'b': '7' is not a text;"},
      {"{\"a\":1,\"b\":[1]}\n", "1: column 'b': a nested value is not taken;"},
      {"{\"a\":1,\"b\":\"x\\u0000\"}\n", "1: column 'b': the text holds a NUL;"},
      {"{\"a\":1,\"a\":2,\"b\":\"\"}\n{\"a\":3,\"b\":\"z\"}\n", "3|z@2;1: the line has two values for 'a';"},
      {"{\"a\":1,\"b\":\"x\"}\n[1]\n7\n", "1|x@1;2: the line is not an object;3: the line is not an object;"},
      {"{\"a\":1,\"b\":\"x\"}\n{\"a\":2\n", "1|x@1;2: the line is not JSON: character 8 is unexpected;"},
      {"{\"a\":1,\"c\":\"x\"}\n", "error: reading F: there is no column 'b'"},
      {"", ""},
  });
  // clang-format on
}

TEST(Text, KeepsTheCellsAndTheTextOfABadRow) {
  test::Folder folder;
  folder.write("t.csv", "a,b\n7x,key\n1," + std::string(9000, 'z') + ",\n");
  const All all = decode(folder, "t.csv", request_of("t.csv", kTwo)).value();
  ASSERT_EQ(all.bad.size(), 2u);
  EXPECT_EQ(all.bad[0].text, "7x,key");
  ASSERT_EQ(all.bad[0].cells.size(), 1u);
  EXPECT_EQ(all.bad[0].cells[0].first, "b");
  EXPECT_EQ(all.bad[0].cells[0].second, Value(std::string("key")));
  EXPECT_TRUE(all.bad[1].cells.empty());
  EXPECT_EQ(all.bad[1].text.size(), 4096u);
}

TEST(Text, TakesItsOptionsIntoAccount) {
  test::Folder folder;
  DecodeRequest request = request_of(
      "t.csv", Schema({{"x", Type::kFloat}, {"d", Type::kDate}, {"t", Type::kTimestamp}}));
  request.options.delimiter = ';';
  request.options.decimal_comma = true;
  request.options.date_format = "dmy";
  request.options.null_words = {"NA", "-"};
  request.options.utc_offset_minutes = 60;
  folder.write("t.csv",
               "x;d;t\n1,5;31.01.2026;31/01/2026 "
               "01:00\nNA;-;NA\n1.5;1.2.2026;-\n2;2026-01-31;-\n1.234,5;-;-\n;-;-\n");
  EXPECT_EQ(told(decode(folder, "t.csv", request)),
            "1.5|2026-01-31|2026-01-31 00:00:00+00@2;null|null|null@3;2|2026-01-31|null@5;"
            "4: column 'x': '1.5' is not a float;6: column 'x': '1.234,5' is not a float;7: column "
            "'x': '' is not a "
            "float;");
  request.options.date_format = "mdy";
  folder.write("t.csv", "x;d;t\n-;01/31/2026;-\n-;31.01.2026;-\n");
  EXPECT_EQ(told(decode(folder, "t.csv", request)),
            "null|2026-01-31|null@2;3: column 'd': '31.01.2026' is not a date;");
  request.options.date_format = "ymd";
  EXPECT_FALSE(decode(folder, "t.csv", request).ok());
}

TEST(Text, ReadsOtherEncodings) {
  using namespace std::string_literals;
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"latin1", "b\n\xE9\n", "é@2;"},
      {"windows-1252", "b\n\x80\xE9\n", "€é@2;"},
      {"utf-16le", "\xFF\xFE"s + "b\0\n\0\xE9\0\x3D\xD8\0\xDE\n\0"s, "é😀@2;"},
      {"utf-16be", "\0b\0\n\0\xE9\xD8\x3D\xDE\0"s, "é😀@2;"},
      {"windows-1252", "b\n\x81\n", "error"},
      {"utf-16le", "b\0\n\0\0\xDC\n\0"s, "error"},
      {"utf-16le", "b\0\n\0x"s, "error"},
      {"ebcdic", "b\n", "error"},
  };
  test::Folder folder;
  for (const auto& [encoding, bytes, expected] : cases) {
    folder.write("t.csv", bytes);
    DecodeRequest request = request_of("t.csv", Schema({{"b", Type::kText}}));
    request.options.encoding = encoding;
    const Result<All> all = decode(folder, "t.csv", request);
    EXPECT_EQ(all.ok() ? told(all) : "error", expected) << encoding;
    if (all.ok()) {
      EXPECT_EQ(all.value().offset, bytes.size()) << encoding;
    }
  }
}

TEST(Text, GoesOnWhereItStoppedInAFileThatGrew) {
  test::Folder folder;
  std::string text = "a,b\n1,\"x\ny\"\n2,y\n3,";
  folder.write("t.csv", text);
  DecodeRequest request = request_of("t.csv", kTwo);
  request.final_line = false;
  const All first = decode(folder, "t.csv", request).value();
  EXPECT_EQ(told(first), "1|x\ny@2;2|y@4;");
  EXPECT_EQ(first.offset, text.size() - 2);
  folder.write("t.csv", text + "z\n4,w");
  request.start_offset = first.offset;
  const All second = decode(folder, "t.csv", request).value();
  EXPECT_EQ(told(second), "3|z@5;");
  request.start_offset = second.offset;
  request.final_line = true;
  EXPECT_EQ(told(decode(folder, "t.csv", request)), "4|w@6;");
  request.start_offset = 1000;
  EXPECT_FALSE(decode(folder, "t.csv", request).ok());
}

TEST(Text, LeavesAnOpenQuoteForLater) {
  test::Folder folder;
  DecodeRequest request = request_of("t.csv", kTwo);
  request.final_line = false;
  folder.write("t.csv", "a,b\n1,x\n2,\"y\n");
  const All all = decode(folder, "t.csv", request).value();
  EXPECT_EQ(told(all), "1|x@2;");
  EXPECT_EQ(all.offset, 8u);
}

TEST(Text, PassesOverARecordThatIsTooLong) {
  test::Folder folder;
  DecodeRequest request = request_of("t.csv", kTwo);
  request.options.row_bytes_max = 100;
  folder.write("t.csv", "a,b\n1,x\n2,\"" + std::string(900'000, 'z') + "\n9,fake\n\"\n3,y\n");
  EXPECT_EQ(told(decode(folder, "t.csv", request)),
            "1|x@2;3|y@6;3: the record is longer than 100 bytes;");
}

TEST(Text, LeavesOutAndFillsInColumns) {
  test::Folder folder;
  folder.write("t.csv", "a,c\n1,9\n");
  DecodeRequest request = request_of("t.csv", kTwo);
  request.missing_is_null = true;
  EXPECT_EQ(told(decode(folder, "t.csv", request)), "1|null@2;");
}

TEST(Codec, KnowsFormatsByTheirEnding) {
  EXPECT_EQ(format_of_path("a/b.csv").value().format, Format::kCsv);
  EXPECT_EQ(format_of_path("b.tsv.gz").value().compression, Compression::kGzip);
  EXPECT_EQ(format_of_path("b.jsonl.zst").value().format, Format::kNdjson);
  EXPECT_EQ(format_of_path("b.parquet").value().format, Format::kParquet);
  for (const char* bad : {"b", "b.gz", "b.parquet.gz", "b.xlsx", ""})
    EXPECT_FALSE(format_of_path(bad).ok()) << bad;
}

void encode(test::Folder& folder, const std::string& name, const Batch& batch) {
  const FileFormat format = format_of_path(name).value();
  auto encoder = open_encoder(folder.io(), folder.path(name), format, batch.schema()).value();
  ASSERT_TRUE(encoder->write(batch).ok());
  ASSERT_TRUE(encoder->finish().ok());
}

TEST(Codec, ReadsBackEveryBatchInEveryFormat) {
  test::Folder folder;
  int number = 0;
  for (const std::string ending : {"csv", "tsv", "ndjson", "parquet", "csv.gz", "ndjson.zst"}) {
    test::check(ending, [&] {
      const Batch batch = *test::any_batch(8);
      const std::string name = std::to_string(number++) + "." + ending;
      encode(folder, name, batch);
      const Result<All> all = decode(folder, name, request_of(name, batch.schema()));
      RC_ASSERT(all.ok());
      RC_ASSERT(all.value().bad.empty());
      RC_ASSERT(all.value().rows.equals(batch));
    });
  }
}

TEST(Codec, ReadsBackASingleColumnWithNulls) {
  test::Folder folder;
  for (const std::string name : {"t.csv", "t.ndjson"}) {
    const std::vector<int> text = {3};
    const Batch batch = test::every_type().select_columns(text);
    encode(folder, name, batch);
    EXPECT_TRUE(decode(folder, name, request_of(name, batch.schema())).value().rows.equals(batch))
        << name;
  }
}

TEST(Codec, GoesOnInAParquetFileAtARow) {
  test::Folder folder;
  const Batch batch = test::every_type();
  encode(folder, "t.parquet", batch);
  DecodeRequest request = request_of("t.parquet", batch.schema());
  request.start_offset = 3;
  const All all = decode(folder, "t.parquet", request).value();
  EXPECT_TRUE(all.rows.equals(batch.slice(3, 1)));
  EXPECT_EQ(all.lines, std::vector<std::uint64_t>{4});
  EXPECT_EQ(all.offset, 4u);
}

TEST(Codec, SurvivesEveryTruncationAndEveryFlippedByte) {
  test::Folder folder;
  const Batch batch = test::every_type();
  for (const std::string ending : {"csv", "csv.gz", "csv.zst", "ndjson", "parquet"}) {
    const std::string good_name = "good." + ending;
    const std::string name = "t." + ending;
    encode(folder, good_name, batch);
    const std::string good = folder.read(good_name);
    const DecodeRequest request = request_of(name, batch.schema());
    for (std::size_t length = 0; length < good.size(); ++length) {
      folder.write(name, good.substr(0, length));
      const Result<All> all = decode(folder, name, request);
      const bool must_fail = ending != "csv" && ending != "ndjson";
      EXPECT_FALSE(must_fail && all.ok()) << name << " cut at " << length;
      if (!all.ok()) {
        EXPECT_NE(all.error().message.find(name), std::string::npos) << all.error().message;
      }
    }
    for (std::size_t at = 0; at < good.size(); ++at) {
      std::string bytes = good;
      bytes[at] = static_cast<char>(~bytes[at]);
      folder.write(name, bytes);
      const Result<All> all = decode(folder, name, request);
      if (!all.ok()) {
        EXPECT_NE(all.error().message.find(name), std::string::npos) << all.error().message;
      }
    }
  }
}

TEST(Codec, ReadsCompressedMembersOneBehindTheOther) {
  test::Folder folder;
  for (const std::string ending : {"csv.gz", "csv.zst"}) {
    BatchBuilder builder(kTwo);
    builder.append_row(std::vector<Value>{std::int64_t{1}, std::string("x")});
    encode(folder, "one." + ending, builder.finish().value());
    const std::string one = folder.read("one." + ending);
    folder.write("t." + ending, one + one);
    EXPECT_EQ(told(decode(folder, "t." + ending, request_of("t." + ending, kTwo))),
              "1|x@2;1|x@4;3: column 'a': 'a' is not an int;");
  }
}

TEST(Codec, InfersTypes) {
  test::Folder folder;
  folder.write("t.csv",
               "i,f,b,d,t,s,code,big,none,flag\n"
               "1,1.5,true,2026-01-31,2026-01-31T08:00,x,0123,9223372036854775808,,0\n"
               "-7,2,FALSE,2026-02-01,2026-01-31 08:00:01Z,1,7,1,,1\n"
               ",nan,,,,,,,,\n");
  const ParseOptions options;
  const Schema csv = infer_schema(folder.io(), folder.path("t.csv"), {}, options).value();
  const std::vector<Type> expected = {Type::kInt,
                                      Type::kFloat,
                                      Type::kBool,
                                      Type::kDate,
                                      Type::kTimestamp,
                                      Type::kText,
                                      Type::kText,
                                      Type::kText,
                                      Type::kText,
                                      Type::kInt};
  for (int i = 0; i < csv.size(); ++i)
    EXPECT_EQ(csv.field(i).type, expected[static_cast<std::size_t>(i)]) << csv.field(i).name;
  for (const std::string name : {"e.parquet", "e.ndjson", "e.csv"}) {
    encode(folder, name, test::every_type());
    const FileFormat format = format_of_path(name).value();
    EXPECT_EQ(infer_schema(folder.io(), folder.path(name), format, options).value(),
              test::every_type_schema())
        << name;
  }
}

TEST(Codec, HashesPrefixesOfTheDecompressedText) {
  test::Folder folder;
  folder.write("t.csv", "abcdef");
  folder.write("p.csv", "abc");
  const FileFormat csv;
  const PrefixHash part = hash_prefix(folder.io(), folder.path("t.csv"), csv, 3).value();
  const PrefixHash whole = hash_prefix(folder.io(), folder.path("p.csv"), csv, 3).value();
  EXPECT_EQ(part.length_bytes, 6u);
  EXPECT_EQ(part.prefix_sha256, whole.whole_sha256);
  EXPECT_EQ(whole.prefix_sha256, whole.whole_sha256);
  EXPECT_EQ(hash_prefix(folder.io(), folder.path("p.csv"), csv, 4).value().prefix_sha256,
            std::nullopt);
}

}  // namespace
}  // namespace lockstep
