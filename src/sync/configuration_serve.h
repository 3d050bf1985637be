// The section `serve` of lockstep.yaml.
#pragma once

#include "base/config.h"
#include "base/result.h"
#include "sync/configuration.h"

namespace lockstep {

// `written`: the section as it stands in the file, `node`: with ${NAME} filled in.
Result<ServeConfiguration> parse_serve(const Node& written, const Node& node);

// Every source of type http feeds one dataset, and a dataset has one of them at most.
Result<void> check_pushed_datasets(const Configuration& configuration);

// The source of type http that feeds a dataset; nullptr: none does.
const SourceConfiguration* push_source_of(const Configuration& configuration,
                                          const DatasetConfiguration& dataset);

}  // namespace lockstep
