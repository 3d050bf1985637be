// The lockstep.yaml that `lockstep init` writes.
#pragma once

#include "cli/init_guess.h"

#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value. What was decided for the file.
struct InitPlan {
  std::string data_path;  // as it shall stand in lockstep.yaml
  std::string dataset;
  std::string from;   // what feeds it: "vitals_files"
  std::string model;  // empty: no model, since there is nothing to predict
  std::vector<std::string> targets;
  std::vector<std::string> numbers;     // features
  std::vector<std::string> categories;  // features that one_hot makes into numbers
  std::vector<std::string> left_out;    // neither: ids, free text, dates, columns without values
};

// Letters, digits and _ of a file's name, in lower case: "ICU vitals.csv.gz" gives "icu_vitals".
std::string name_of_file(std::string_view path);

// A text as a YAML scalar: quoted where it would read as something else.
std::string yaml_text(std::string_view text);
std::string yaml_list(const std::vector<std::string>& texts);

InitPlan plan_model(const DataFacts& facts,
                    std::string_view data_path,
                    const std::vector<std::string>& targets);

// Parts of it: the hub, one dataset, one model; each with its name, without what stands above it.
std::string hub_text();
std::string dataset_text(const DataFacts& facts, const InitPlan& plan);
std::string model_text(const DataFacts& facts, const InitPlan& plan);

std::string configuration_text(const DataFacts& facts, const InitPlan& plan);

}  // namespace lockstep
