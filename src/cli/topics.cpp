// The topics of `lockstep help`.
#include "cli/help_text.h"

#include <fmt/format.h>

#include <array>

namespace lockstep {
namespace {

constexpr std::string_view kEnvironment =
    R"(LOCKSTEP_CONFIG   the configuration file; --config wins over it
LOCKSTEP_KERNEL   the kernel of the exact sums, by name; all give the same bits
NO_COLOR          set and not empty: no colour
USER              who is written into the history of aliases
LOCKSTEP_CRASH_AT a testing aid: N ends the program just before its N-th change to the disk, as a
                  power cut would; 0 tells on standard error how many there were

In lockstep.yaml ${NAME} stands for the environment variable NAME and ${file:PATH} for the content
of a file. Secrets belong there, never on the command line.
)";

constexpr std::string_view kFormats =
    R"(Standard output carries data, standard error carries talk: progress, remarks, errors.

On a terminal: tables with a heading, relative times, colour for status words.
In a pipe:     one line a row, cells separated by tabs, no heading, times as RFC 3339 in UTC.
               Columns may be added; scripts should rely on --json.
--json:        one JSON document; fields are only ever added. predict and export write CSV, so there
               --json needs --output.

Errors are two lines on standard error:

  error: what happened, with the name of the thing, and why
  try: the next step

With --json they are one line of JSON on standard error instead:

  {"error":{"code":"no_hub","message":"...","hint":"..."}}

Progress shows on a terminal only, after one second; elsewhere as a line a minute.
A snapshot is named by its number, as 12; counted from the newest with data, -1 or latest, -2 the one
before; or by a time, as 2026-11-20T08:00, with or without seconds and +01:00, UTC unless it says
otherwise: the newest snapshot with data at or before it.
A model version is bp (its champion), bp@7, or bp@ALIAS.
Files: .csv .tsv .ndjson .jsonl, with .gz or .zst behind them, and .parquet.
)";

constexpr std::string_view kWords =
    R"(dataset        a table with a key and a schema, in three layers: raw as it arrived, clean after
               cleaning, train with features, targets and split
change         an insert, update or delete of one row
source         where changes come from
position       how far a source has been read
snapshot       a data version: one committed, immutable state of the whole hub
step           one cleaning or feature operation
learner        an algorithm that folds changes into a state and solves the state for a model
model          a learner over one dataset; each of its versions names exactly one snapshot
definition     everything that a model's meaning depends on, with its hash
recalibration  a full retrain with everything fitted afresh: another definition
gate           what a version must meet before the champion moves to it
alias          a name for one version of a model: champion, or your own
latch          a model that the gate blocked stays blocked until a revert, an accept or a recalibration
hub            the store of it all: a SQL catalog and a folder of Parquet files
)";

std::string environment_body() {
  return std::string(kEnvironment);
}

std::string formats_body() {
  return std::string(kFormats);
}

std::string words_body() {
  return std::string(kWords);
}

constexpr std::array kTopics = {
    HelpTopic{"exit-codes", "Exit codes", exit_codes_text},
    HelpTopic{"environment", "Environment variables", environment_body},
    HelpTopic{"formats", "Output, errors, and how things are named", formats_body},
    HelpTopic{"words", "What the words mean", words_body},
};

}  // namespace

std::span<const HelpTopic> help_topics() {
  return kTopics;
}

std::string exit_codes_text() {
  return R"(Exit codes: 0 done; 1 failed; 2 wrong usage; 3 rows were rejected (--strict); 4 a check or a
comparison found something; 10 no hub; 11 another writer holds the hub; 12 rights are missing;
13 the hub is from a newer Lockstep; 14 a version to verify has expired; 130 interrupted.
)";
}

}  // namespace lockstep
