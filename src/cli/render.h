// Reports as text, a function each, for tests to call without a hub. Each is defined in the file of
// its command.
#pragma once

#include "cli/report.h"

#include <string>

namespace lockstep {

std::string render_check(const View& view, const Json& report);
std::string render_preview(const View& view, const Json& report);
std::string render_sync(const View& view, const Json& report);  // of revert too
std::string render_pause(const View& view, const Json& report);
std::string render_recalibrate(const View& view, const Json& report);
std::string render_status(const View& view, const Json& report);
std::string render_log(const View& view, const Json& report);
std::string render_show(const View& view, const Json& report);
std::string render_diff(const View& view, const Json& report);
std::string render_model_diff(const View& view, const Json& report);
std::string render_models(const View& view, const Json& report);
std::string render_rejected(const View& view, const Json& report);
std::string render_verify(const View& view, const Json& report);
std::string render_gc(const View& view, const Json& report);
std::string render_tags(const View& view, const Json& report);
std::string render_compact(const View& view, const Json& report);
std::string render_aliases(const View& view, const Json& report);
std::string render_alias_set(const View& view, const Json& report);  // of rollback and accept too

// "+40 ~2 -3 rows" of {inserted, updated, deleted}; "no rows changed".
std::string changes_text(const View& view, const Json& changes);
// A line a version: "bp@7 ready, rmse 10.21".
std::string versions_text(const View& view, const Json& versions);

bool anything_failed(const Json& check_report);
bool everything_exact(const Json& verify_report);
bool anything_differs(const Json& diff_report);

}  // namespace lockstep
