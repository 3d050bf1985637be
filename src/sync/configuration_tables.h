// The settings of lockstep.yaml by section: what the parser, the manual and the JSON schema go by.
#pragma once

#include "base/config.h"

#include <array>

namespace lockstep {

inline constexpr std::array kTopSettings = {
    Setting{.name = "hub",
            .type = Setting::Type::kNode,
            .text = "Where the data and the models are kept."},
    Setting{.name = "sources",
            .type = Setting::Type::kNode,
            .text = "Where changes come from, by name.",
            .required = true},
    Setting{.name = "datasets",
            .type = Setting::Type::kNode,
            .text = "Keyed tables, by name.",
            .required = true},
    Setting{.name = "models",
            .type = Setting::Type::kNode,
            .text = "Learners over a dataset, by name."},
    Setting{.name = "serve",
            .type = Setting::Type::kNode,
            .text = "Where `lockstep run` answers HTTP; left out, nowhere."},
};

inline constexpr std::array kServeSettings = {
    Setting{.name = "listen",
            .text = "Address and port: 127.0.0.1:8080, [::1]:8080, or port 0 for a free one. Other "
                    "addresses than those of this machine need a token.",
            .required = true},
    Setting{.name = "token",
            .text =
                "What callers must show as `Authorization: Bearer ...`, from the environment or "
                "a file: ${LOCKSTEP_TOKEN}, ${file:token.txt}."},
    Setting{.name = "body_max",
            .type = Setting::Type::kBytes,
            .fallback = "16MB",
            .text = "The longest body that is taken.",
            .min = 1024,
            .max = 1e9},
    Setting{.name = "queue_max",
            .type = Setting::Type::kBytes,
            .fallback = "64MB",
            .text = "What may wait to be committed; more is answered 429.",
            .min = 1024,
            .max = 64e9},
    Setting{.name = "connections_max",
            .type = Setting::Type::kInteger,
            .fallback = "256",
            .text = "How many connections may be open.",
            .min = 1,
            .max = 10000},
};

inline constexpr std::array kKeepSettings = {
    Setting{.name = "for",
            .type = Setting::Type::kDuration,
            .fallback = "7d",
            .text = "All snapshots that are younger."},
    Setting{.name = "snapshots",
            .type = Setting::Type::kInteger,
            .fallback = "50000",
            .text = "But not more than so many: DuckDB's queries slow down with their number.",
            .min = 1,
            .max = 1e9},
    Setting{.name = "then",
            .type = Setting::Type::kChoice,
            .fallback = "hourly",
            .text = "Of those before: the last of each hour or day, or none.",
            .choices = "hourly | daily | none"},
};

inline constexpr std::array kHubSettings = {
    Setting{.name = "catalog",
            .fallback = "sqlite:hub/catalog.sqlite",
            .text = "The SQL catalog: sqlite: and a path from the configuration's folder."},
    Setting{.name = "data", .fallback = "hub/data", .text = "The folder of the Parquet files."},
    Setting{.name = "commit_rows_max",
            .type = Setting::Type::kInteger,
            .fallback = "100000",
            .text = "A file is read in batches of at most so many rows.",
            .min = 1,
            .max = 10e6},
    Setting{.name = "load",
            .type = Setting::Type::kChoice,
            .fallback = "one snapshot",
            .text =
                "What a file of more rows than one batch becomes: one snapshot, with one version "
                "of each model, or a snapshot for each batch.",
            .choices = "one snapshot | by batch"},
    Setting{.name = "foreign",
            .type = Setting::Type::kChoice,
            .fallback = "refuse",
            .text = "What to do about commits of other programs, as DuckDB makes them: `refuse` "
                    "stops with a message, `adopt` takes their rows of raw like those of a source.",
            .choices = "refuse | adopt"},
    Setting{.name = "snapshot_per",
            .type = Setting::Type::kChoice,
            .fallback = "commit",
            .text =
                "commit: what waits at a source becomes one snapshot, with one version of each "
                "model. transaction: each transaction of a source (of files: each file, or part "
                "of one) is a snapshot with versions of its own; many of them are made durable "
                "at once.",
            .choices = "commit | transaction"},
    Setting{.name = "log_max",
            .type = Setting::Type::kBytes,
            .fallback = "1GB",
            .text =
                "Commits slow down when the catalog's write-ahead log is longer, which a long read "
                "of another program makes it."},
    Setting{.name = "keep",
            .type = Setting::Type::kNode,
            .text = "Which snapshots stay; versions under an alias and tags keep theirs."},
    Setting{
        .name = "gc_grace",
        .type = Setting::Type::kDuration,
        .fallback = "24h",
        .text = "How long a file that the hub needs no more stays for readers of other programs."},
};

inline constexpr std::array kDatasetSettings = {
    Setting{.name = "from",
            .type = Setting::Type::kTexts,
            .text = "The sources that feed it: drop, or clinic.public.visits for a table of one.",
            .required = true},
    Setting{
        .name = "key",
        .type = Setting::Type::kTexts,
        .text = "The columns that name a row. Without it a row is named by its file and number."},
    Setting{.name = "columns",
            .type = Setting::Type::kNode,
            .text = "Columns and their types (bool int float text date timestamp). Without it they "
                    "are inferred from the first file and then kept. A column with another name "
                    "than before: {type: float, renamed_from: old}."},
    Setting{.name = "latest",
            .text = "Where several sources have a key, the row with the greatest value of this "
                    "column counts; without it, the one that was committed last."},
    Setting{.name = "partition",
            .type = Setting::Type::kTexts,
            .text = "How the rows of raw, clean and train are spread over files, so that queries "
                    "pass over those that hold nothing for them: a column, bucket(n, column), or "
                    "year, month, day or hour of a date or timestamp."},
    Setting{.name = "sort",
            .type = Setting::Type::kTexts,
            .text = "Columns by which the rows of a new file stand."},
    Setting{.name = "clean",
            .type = Setting::Type::kNode,
            .text = "Steps from raw to clean, in order."},
    Setting{.name = "train",
            .type = Setting::Type::kNode,
            .text = "Steps from clean to train, in order."},
};

inline constexpr std::array kColumnSettings = {
    Setting{.name = "type",
            .type = Setting::Type::kNode,
            .text = "The column's type.",
            .required = true},
    Setting{.name = "renamed_from",
            .text = "The column's name so far: its values stay when its name changes."},
};

inline constexpr std::array kModelSettings = {
    Setting{.name = "dataset", .text = "The dataset that it learns from.", .required = true},
    Setting{.name = "calibrate_after",
            .type = Setting::Type::kNode,
            .fallback = "1000 rows",
            .text = "Rows of train before the first fit; until then the model is warming. It is "
                    "calibrated once more "
                    "at ten times as many."},
    Setting{.name = "trigger",
            .type = Setting::Type::kNode,
            .fallback = "every commit",
            .text = "When a version is made: every commit, {changes: N} or {every: 10m}."},
    Setting{.name = "gate",
            .type = Setting::Type::kNode,
            .text = "What a version must meet before the champion moves to it; off: nothing."},
};

inline constexpr std::array kTriggerSettings = {
    Setting{.name = "changes",
            .type = Setting::Type::kInteger,
            .text = "After so many changed rows.",
            .min = 1,
            .max = 1e12},
    Setting{.name = "every",
            .type = Setting::Type::kDuration,
            .text = "After so long, if anything changed."},
};

inline constexpr std::array kGateSettings = {
    Setting{.name = "batch_error",
            .type = Setting::Type::kNode,
            .fallback = "2x",
            .text = "The champion's mean absolute error on the incoming rows, over its usual one."},
    Setting{.name = "batch_rows_min",
            .type = Setting::Type::kInteger,
            .fallback = "20",
            .text = "Smaller batches are judged together with those before them.",
            .min = 1,
            .max = 1e6},
    Setting{.name = "at_most_worse",
            .type = Setting::Type::kNode,
            .fallback = "2%",
            .text = "Test RMSE over the champion's, and over that of the last calibration, on the "
                    "test rows from "
                    "before the batch."},
};

}  // namespace lockstep
