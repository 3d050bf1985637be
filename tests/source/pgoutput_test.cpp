// The messages of PostgreSQL's replication: whole, cut short, and with bytes that mean nothing.
#include "source/postgres/pgoutput.h"

#include "source/postgres_bytes.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lockstep::test {
namespace {

std::vector<std::string> every_message() {
  return {begin_bytes(0x1122334455667788),
          commit_bytes(0x10, 0x20),
          relation_bytes(7, "vitals", {{"id", 20, true}, {"note"}}),
          insert_bytes(7, {"1", std::nullopt, "~", ""}),
          update_bytes(7, {"1", "x"}),
          update_bytes(7, 'K', {"1", std::nullopt}, {"2", "x"}),
          update_bytes(7, 'O', {"1", "w"}, {"1", "~"}),
          delete_bytes(7, 'K', {"1", std::nullopt}),
          truncate_bytes({7, 8})};
}

TEST(Pgoutput, EveryMessageIsReadAndEveryTruncationOfItIsRefused) {
  for (const std::string& whole : every_message()) {
    PgoutputMessage message;
    ASSERT_TRUE(parse_pgoutput(whole, message).ok()) << whole[0];
    EXPECT_EQ(message.kind, whole[0]);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto cut = parse_pgoutput(std::string_view(whole).substr(0, size), message);
      ASSERT_FALSE(cut.ok()) << whole[0] << " cut at " << size;
      EXPECT_EQ(cut.error().code, Code::kCorrupt);
    }
    EXPECT_FALSE(parse_pgoutput(whole + "x", message).ok()) << whole[0];
  }
}

TEST(Pgoutput, AFlippedByteIsAnErrorOrAnotherMessageButNeverReadsBeyond) {
  for (const std::string& whole : every_message()) {
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (const int flip : {0x01, 0x40, 0xFF}) {
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ flip);
        PgoutputMessage message;
        const auto parsed = parse_pgoutput(bytes, message);
        for (const TupleCell& cell : message.new_cells) {
          const bool is_within = cell.text.empty() || (cell.text.data() >= bytes.data() &&
                                                       cell.text.data() + cell.text.size() <=
                                                           bytes.data() + bytes.size());
          EXPECT_TRUE(is_within);
        }
        if (!parsed.ok()) {
          EXPECT_EQ(parsed.error().code, Code::kCorrupt);
        }
      }
    }
  }
}

TEST(Pgoutput, ACommitTellsWhereItEnds) {
  PgoutputMessage message;
  ASSERT_TRUE(parse_pgoutput(commit_bytes(0x10, 0x20), message).ok());
  EXPECT_EQ(message.commit, 0x10u);
  EXPECT_EQ(message.end, 0x20u);
  EXPECT_EQ(message.commit_time_us, 946'684'801'000'000);
}

TEST(Pgoutput, ARelationTellsItsColumnsTypesAndIdentity) {
  PgoutputMessage message;
  const std::string bytes = relation_bytes(7, "vitals", {{"id", 20, true}, {"note"}}, 'f');
  ASSERT_TRUE(parse_pgoutput(bytes, message).ok());
  const Relation wanted{.id = 7,
                        .schema = "public",
                        .table = "vitals",
                        .identity = 'f',
                        .columns = {{.in_identity = true, .name = "id", .type = 20},
                                    {.in_identity = false, .name = "note", .type = 25}}};
  EXPECT_EQ(message.relation, wanted);
}

TEST(Pgoutput, CellsTellNullUnchangedAndEmptyApart) {
  PgoutputMessage message;
  const std::string bytes = insert_bytes(7, {std::nullopt, "~", "", "5"});
  ASSERT_TRUE(parse_pgoutput(bytes, message).ok());
  ASSERT_EQ(message.new_cells.size(), 4u);
  EXPECT_EQ(message.new_cells[0].kind, 'n');
  EXPECT_EQ(message.new_cells[1].kind, 'u');
  EXPECT_EQ(message.new_cells[2].kind, 't');
  EXPECT_EQ(message.new_cells[2].text, "");
  EXPECT_EQ(message.new_cells[3].text, "5");
}

TEST(Pgoutput, MessagesOfApplicationsTypesAndOriginsArePassedOver) {
  for (const char kind : {'M', 'Y', 'O'}) {
    PgoutputMessage message;
    const std::string bytes = std::string(1, kind) + "anything";
    EXPECT_TRUE(parse_pgoutput(bytes, message).ok());
    EXPECT_EQ(message.kind, kind);
  }
}

TEST(Pgoutput, FramesAreReadAndTheirTruncationsRefused) {
  const std::string bytes = frame_bytes(99, "B");  // what was read points into it
  const auto data = parse_frame(bytes);
  ASSERT_TRUE(data.ok());
  EXPECT_EQ(data.value().log_end, 99u);
  EXPECT_EQ(data.value().message, "B");
  const auto alive = parse_frame(keepalive_bytes(99, true));
  ASSERT_TRUE(alive.ok());
  EXPECT_TRUE(alive.value().wants_reply);
  for (const std::string& whole : {frame_bytes(99, ""), keepalive_bytes(99)}) {
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_FALSE(parse_frame(whole.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(parse_frame("x").ok());
}

TEST(Pgoutput, AStatusHasItsFixedBytes) {
  const std::string bytes =
      status_bytes({.flushed = 0x0102, .now_us = 946'684'800'000'003, .asks_reply = true});
  const std::string lsn = big_endian(0x0102, 8);
  EXPECT_EQ(bytes, "r" + lsn + lsn + lsn + big_endian(3, 8) + "\1");
}

TEST(PostgresLsn, TextsComeBack) {
  for (const Lsn lsn : {Lsn{0}, Lsn{0x16B374D848}, ~Lsn{0}})
    EXPECT_EQ(parse_lsn(lsn_text(lsn)), lsn);
  EXPECT_EQ(lsn_text(0x16B374D848), "16/B374D848");
  for (const char* text : {"", "/", "1", "1/", "/1", "x/1", "1/x", "1/1/1", "100000000/0"})
    EXPECT_FALSE(parse_lsn(text)) << text;
}

}  // namespace
}  // namespace lockstep::test
