#include "sync/configuration_references.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace lockstep {
namespace {

template <typename Item>
Error unknown_name(const Mark& mark,
                   const std::string& what,
                   const std::string& name,
                   const std::vector<Item>& items) {
  std::vector<std::string> names;
  for (const Item& item : items)
    names.push_back(item.name);
  const std::optional<std::string> near = nearest(name, names);
  return invalid_at(mark,
                    fmt::format("{} '{}' does not exist", what, name),
                    near ? fmt::format("did you mean {}?", *near)
                         : fmt::format("there are: {}", fmt::join(names, ", ")));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// SQL takes vitals and Vitals for one table: a reader of the hub would get the wrong one's rows.
Result<void> check_dataset_names(const Configuration& configuration) {
  std::map<std::string, std::string> seen;
  for (const DatasetConfiguration& dataset : configuration.datasets) {
    const auto [found, added] = seen.emplace(lower(dataset.name), dataset.name);
    if (added) continue;
    return invalid_at(
        dataset.mark,
        fmt::format("datasets '{}' and '{}' differ only in case", found->second, dataset.name),
        "give one another name");
  }
  return {};
}

const SourceInfo* type_of(const SourceConfiguration& source) {
  const std::span<const SourceInfo> types = source_types();
  const auto found =
      std::ranges::find_if(types, [&](const SourceInfo& info) { return info.type == source.type; });
  return found == types.end() ? nullptr : &*found;
}

// clinic, or clinic.public.visits: the table's part goes to `from_tables`.
Result<void> split_tables(const Configuration& configuration, DatasetConfiguration& dataset) {
  dataset.from_tables.clear();
  std::set<std::string> named;
  for (std::string& entry : dataset.from) {
    std::string table;
    const std::size_t dot = entry.find('.');
    if (configuration.source(entry) == nullptr && dot != std::string::npos) {
      table = entry.substr(dot + 1);
      entry.resize(dot);
    }
    const SourceConfiguration* source = configuration.source(entry);
    if (source == nullptr)
      return unknown_name(dataset.mark, "source", entry, configuration.sources);
    const SourceInfo* type = type_of(*source);
    if (!table.empty() && type != nullptr && !type->has_tables) {
      return invalid_at(
          dataset.mark,
          fmt::format("source '{}' is of type {}, which has no tables", entry, type->type),
          fmt::format("write from: [{}]", entry));
    }
    if (!named.insert(entry).second) {
      return invalid_at(
          dataset.mark,
          fmt::format("dataset '{}' names source '{}' twice", dataset.name, entry),
          "a row's key says which of a source's rows it is: make a dataset of each table");
    }
    dataset.from_tables.push_back(std::move(table));
  }
  return {};
}

Result<void> check_fed(const Configuration& configuration, const SourceConfiguration& source) {
  const std::vector<FedDataset> fed = fed_datasets(configuration, source.name);
  if (fed.empty() || (fed.size() > 1 && !has_tables(source))) {
    return invalid_at(
        source.mark,
        fmt::format("source '{}' feeds {} datasets, not one", source.name, fed.size()),
        fmt::format("name it once, in a dataset's from: [{}]", source.name));
  }
  std::set<std::string> tables;
  for (const FedDataset& one : fed) {
    const std::string& table = one.dataset->from_tables[one.place];
    if (fed.size() > 1 && table.empty()) {
      return invalid_at(
          one.dataset->mark,
          fmt::format("source '{}' feeds {} datasets, and '{}' does not say from which table",
                      source.name,
                      fed.size(),
                      one.dataset->name),
          fmt::format("write from: [{}.public.{}]", source.name, one.dataset->name));
    }
    if (!tables.insert(table).second) {
      return invalid_at(
          one.dataset->mark,
          fmt::format("table '{}' of source '{}' feeds two datasets", table, source.name),
          "let a table feed one dataset");
    }
  }
  return {};
}

}  // namespace

bool has_tables(const SourceConfiguration& source) {
  const SourceInfo* type = type_of(source);
  return type != nullptr && type->has_tables;
}

Result<void> resolve_references(Configuration& configuration) {
  TRY(check_dataset_names(configuration));
  for (DatasetConfiguration& dataset : configuration.datasets)
    TRY(split_tables(configuration, dataset));
  for (const SourceConfiguration& source : configuration.sources)
    TRY(check_fed(configuration, source));
  for (const ModelConfiguration& model : configuration.models) {
    if (configuration.dataset(model.dataset) == nullptr) {
      return unknown_name(model.mark, "dataset", model.dataset, configuration.datasets);
    }
  }
  return {};
}

std::vector<FedDataset> fed_datasets(const Configuration& configuration,
                                     const std::string& source) {
  std::vector<FedDataset> out;
  for (const DatasetConfiguration& dataset : configuration.datasets) {
    const auto found = std::ranges::find(dataset.from, source);
    if (found != dataset.from.end())
      out.push_back({&dataset, static_cast<std::size_t>(found - dataset.from.begin())});
  }
  return out;
}

SourceRequest source_request(const Configuration& configuration,
                             const SourceConfiguration& source) {
  SourceRequest request;
  request.name = source.name;
  request.settings = source.settings;
  request.directory = configuration.directory;
  for (const FedDataset& fed : fed_datasets(configuration, source.name)) {
    request.targets.push_back({.table = fed.dataset->from_tables[fed.place],
                               .schema = fed.dataset->columns,
                               .key = fed.dataset->key});
  }
  return request;
}

int target_of(const Configuration& configuration,
              const std::string& source,
              const std::string& dataset) {
  const std::vector<FedDataset> fed = fed_datasets(configuration, source);
  const auto found = std::ranges::find_if(
      fed, [&](const FedDataset& one) { return one.dataset->name == dataset; });
  LOCKSTEP_ASSERT(found != fed.end(), "sync: the source does not feed the dataset");
  return static_cast<int>(found - fed.begin());
}

std::string from_text(const DatasetConfiguration& dataset, std::size_t place) {
  const std::string& table = dataset.from_tables[place];
  return table.empty() ? dataset.from[place] : dataset.from[place] + "." + table;
}

}  // namespace lockstep
