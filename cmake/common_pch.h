// Precompiled once for all layers: what nearly every file includes. Arrow is not here: what it
// leaves to be instantiated costs each file more than parsing it costs the few that include it.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>
