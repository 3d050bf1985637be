#include "source/mysql/binlog_statement.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <initializer_list>
#include <utility>

namespace lockstep {
namespace {

using StatementKind = LogStatement::Kind;

struct SqlWord {
  std::string text;
  bool is_quoted = false;  // `t` or "t": a name, never a keyword
  bool is_point = false;
};

bool is_word_letter(char letter) {
  const auto byte = static_cast<unsigned char>(letter);
  return std::isalnum(byte) != 0 || letter == '_' || letter == '$' || byte >= 0x80;
}

bool same_letters(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, [](char one, char other) {
    return std::tolower(static_cast<unsigned char>(one)) ==
           std::tolower(static_cast<unsigned char>(other));
  });
}

// Words and names; texts, numbers' points and comments are left out, but what stands in a comment
// that the server executes is taken.
class SqlWords final {
 public:
  explicit SqlWords(std::string_view sql) : sql_(sql) {}

  std::vector<SqlWord> all() {
    while (at_ < sql_.size())
      step();
    return std::move(words_);
  }

 private:
  bool starts(std::string_view text) const { return sql_.substr(at_).starts_with(text); }

  void skip_behind(std::string_view end) {
    const std::size_t found = sql_.find(end, at_);
    at_ = found == std::string_view::npos ? sql_.size() : found + end.size();
  }

  void skip_version() {
    at_ += starts("/*M!") ? 4 : 3;
    while (at_ < sql_.size() && std::isdigit(static_cast<unsigned char>(sql_[at_])) != 0)
      ++at_;
  }

  // In quotes: doubled they stand for themselves; in a text a backslash does, too.
  std::string quoted(char quote) {
    std::string text;
    for (++at_; at_ < sql_.size(); ++at_) {
      const bool is_escape = sql_[at_] == '\\' && quote != '`';
      const bool is_double = sql_[at_] == quote && at_ + 1 < sql_.size() && sql_[at_ + 1] == quote;
      if (is_escape || is_double) {
        ++at_;
      } else if (sql_[at_] == quote) {
        break;
      }
      if (at_ < sql_.size()) text += sql_[at_];
    }
    if (at_ < sql_.size()) ++at_;
    return text;
  }

  void step() {
    if (starts("/*!") || starts("/*M!")) return skip_version();
    if (starts("*/")) return skip_behind("*/");
    if (starts("/*")) return skip_behind("*/");
    if (starts("-- ") || starts("#")) return skip_behind("\n");
    const char letter = sql_[at_];
    if (letter == '\'') {
      quoted(letter);
      return;
    }
    if (letter == '`' || letter == '"') {
      words_.push_back({.text = quoted(letter), .is_quoted = true});
      return;
    }
    if (!is_word_letter(letter)) {
      if (letter == '.') words_.push_back({.text = ".", .is_point = true});
      ++at_;
      return;
    }
    const std::size_t start = at_;
    while (at_ < sql_.size() && is_word_letter(sql_[at_]))
      ++at_;
    words_.push_back({.text = std::string(sql_.substr(start, at_ - start))});
  }

  std::string_view sql_;
  std::size_t at_ = 0;
  std::vector<SqlWord> words_;
};

// Reads a statement's words from the front.
class SqlReader final {
 public:
  SqlReader(const std::vector<SqlWord>& words, const std::string& database)
      : words_(words), database_(database) {}

  bool takes(std::string_view keyword) {
    const bool is_it =
        at_ < words_.size() && !words_[at_].is_quoted && same_letters(words_[at_].text, keyword);
    if (is_it) ++at_;
    return is_it;
  }

  bool takes_any(std::initializer_list<std::string_view> keywords) {
    return std::ranges::any_of(keywords, [&](std::string_view one) { return takes(one); });
  }

  // All that stand here, in any order.
  void skip(std::initializer_list<std::string_view> keywords) {
    while (takes_any(keywords)) {
    }
  }

  TableName name() {
    TableName out{database_, word()};
    if (at_ < words_.size() && words_[at_].is_point) {
      ++at_;
      out = {out.table, word()};
    }
    return out;
  }

 private:
  std::string word() { return at_ < words_.size() ? words_[at_++].text : ""; }

  const std::vector<SqlWord>& words_;
  const std::string& database_;
  std::size_t at_ = 0;
};

void read_definition(SqlReader& in, LogStatement& out) {
  in.skip({"OR", "REPLACE", "ONLINE", "OFFLINE", "IGNORE", "TEMPORARY"});
  if (in.takes_any({"TABLE", "TABLES"})) {
    in.skip({"IF", "NOT", "EXISTS"});
    out.kind = StatementKind::kDefinition;
    out.tables.push_back(in.name());
  } else if (in.takes_any({"DATABASE", "SCHEMA"})) {
    in.skip({"IF", "EXISTS"});
    out.kind = StatementKind::kDropDatabase;
    out.tables.push_back({in.name().table, ""});
  }
}

void read_first(SqlReader& in, LogStatement& out) {
  if (in.takes("BEGIN") || in.takes("START")) {
    out.kind = StatementKind::kBegin;
  } else if (in.takes("XA")) {
    if (in.takes("START") || in.takes("BEGIN")) out.kind = StatementKind::kBeginXa;
  } else if (in.takes("COMMIT")) {
    out.kind = StatementKind::kCommit;
  } else if (in.takes("ROLLBACK")) {
    out.kind = in.takes("TO") ? StatementKind::kRollbackTo : StatementKind::kRollback;
  } else if (in.takes("TRUNCATE")) {
    in.takes("TABLE");
    out.kind = StatementKind::kTruncate;
    out.tables.push_back(in.name());
  } else if (in.takes("DROP") || in.takes("ALTER") || in.takes("RENAME")) {
    read_definition(in, out);
  } else if (in.takes("CREATE")) {
    read_definition(in, out);
    // A database that is made has no tables yet.
    if (out.kind == StatementKind::kDropDatabase) out.kind = StatementKind::kOther;
  } else if (in.takes_any({"INSERT",
                           "UPDATE",
                           "DELETE",
                           "REPLACE",
                           "LOAD",
                           "CALL",
                           "DO",
                           "SELECT",
                           "WITH",
                           "MERGE"})) {
    out.kind = StatementKind::kRows;
  }
}

}  // namespace

// MySQL writes CREATE TABLE ... SELECT as CREATE TABLE ... START TRANSACTION, and the rows behind
// it.
bool LogStatement::begins_transaction() const {
  if (kind == Kind::kBegin || kind == Kind::kBeginXa) return true;
  const std::size_t count = words.size();
  return kind == Kind::kDefinition && count > 1 && same_letters(words[count - 2], "START") &&
         same_letters(words[count - 1], "TRANSACTION");
}

bool LogStatement::mentions(std::string_view table) const {
  return std::ranges::any_of(words,
                             [&](const std::string& word) { return same_letters(word, table); });
}

LogStatement parse_log_statement(std::string_view statement, const std::string& database) {
  const std::vector<SqlWord> words = SqlWords(statement).all();
  LogStatement out;
  for (const SqlWord& word : words) {
    if (!word.is_point) out.words.push_back(word.text);
  }
  SqlReader in(words, database);
  read_first(in, out);
  return out;
}

}  // namespace lockstep
