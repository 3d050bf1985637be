// The source of type `http`: changes that others push, as the desk hands them out. One push is one
// batch, whole. It has no past to read again: a push that was committed is answered, and one that
// was not is its sender's to repeat.
#pragma once

#include "source/source.h"

#include <memory>
#include <span>

namespace lockstep {

std::span<const Setting> http_setting_table();
Result<std::unique_ptr<Source>> make_http_source(Io& io, const SourceRequest& request);

}  // namespace lockstep
