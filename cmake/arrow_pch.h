// Precompiled once for all layers that use Arrow: parsing these again costs two to three seconds a
// file.
#pragma once
#include <arrow/api.h>
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
