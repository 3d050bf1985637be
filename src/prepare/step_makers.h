// The makers of all steps; steps.cpp lists them with their texts.
#pragma once

#include "prepare/prepare.h"

#include <memory>

namespace lockstep {

using MadeStep = Result<std::unique_ptr<Step>>;

MadeStep make_filter(const Node& arguments, const Schema& input);
MadeStep make_required(const Node& arguments, const Schema& input);
MadeStep make_range(const Node& arguments, const Schema& input);
MadeStep make_select(const Node& arguments, const Schema& input);
MadeStep make_drop(const Node& arguments, const Schema& input);
MadeStep make_rename(const Node& arguments, const Schema& input);
MadeStep make_cast(const Node& arguments, const Schema& input);
MadeStep make_map(const Node& arguments, const Schema& input);
MadeStep make_expression(const Node& arguments, const Schema& input);
MadeStep make_date_parts(const Node& arguments, const Schema& input);
MadeStep make_split(const Node& arguments, const Schema& input);

}  // namespace lockstep
