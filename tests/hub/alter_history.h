// Random histories in which the columns of a table change too, beside a model of it: for every
// snapshot its columns, by id, and its rows.
#pragma once

#include "hub/hub_support.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace lockstep {

struct ModelColumn {
  int id = 0;
  Field field;
};

using ModelCells = std::map<int, Value>;  // by column id; none: null

struct AlteredModel {
  std::vector<ModelColumn> columns;  // the first is the key
  std::map<std::int64_t, ModelCells> rows;

  TableDefinition definition(const TableName& name) const {
    std::vector<Field> fields;
    for (const ModelColumn& column : columns)
      fields.push_back(column.field);
    return {name, Schema(std::move(fields)), {columns.front().field.name}};
  }
};

// A cell as another snapshot's columns see it.
inline Value cell_as(const ModelCells& cells, const ModelColumn& column) {
  const auto found = cells.find(column.id);
  if (found == cells.end()) return {};
  const std::int64_t* whole = std::get_if<std::int64_t>(&found->second);
  if (column.field.type == Type::kFloat && whole != nullptr) return static_cast<double>(*whole);
  return found->second;
}

inline std::vector<Value> row_as(const ModelCells& cells, const AlteredModel& model) {
  std::vector<Value> row;
  for (const ModelColumn& column : model.columns)
    row.push_back(cell_as(cells, column));
  return row;
}

inline Batch rows_as(const AlteredModel& rows, const AlteredModel& columns) {
  BatchBuilder out(columns.definition({}).schema);
  for (const auto& [key, cells] : rows.rows)
    out.append_row(row_as(cells, columns), 1);
  return must(out.finish());
}

class AlterHistory {
 public:
  AlterHistory(Hub& hub, std::uint64_t seed) : hub_(&hub), random_(seed) {}

  void use(Hub& hub) { hub_ = &hub; }

  static TableName table() { return {Layer::kRaw, "changing"}; }

  // A change of rows, of columns, or of both at once.
  void commit() {
    CommitRequest request;
    AlteredModel next = now_;
    if (snapshots_.empty()) {
      add(next, "id", Type::kInt);
      add(next, "x", Type::kInt);
      add(next, "note", Type::kText);
      request.create.push_back(next.definition(table()));
    } else if (below(3) == 0) {
      request.alter.push_back(alter(next));
    }
    const bool rows_too = request.alter.empty() || below(2) == 0;
    if (rows_too) request.changes.push_back({table(), change(next)});
    const Committed done = must(hub_->commit(request));
    if (!done.snapshot) return;
    now_ = next;
    snapshots_[number(*done.snapshot)] = now_;
  }

  const std::map<std::int64_t, AlteredModel>& snapshots() const { return snapshots_; }

  std::size_t below(std::size_t end) { return static_cast<std::size_t>(random_() % end); }

 private:
  void add(AlteredModel& model, const std::string& name, Type type) {
    model.columns.push_back({next_id_++, {name, type}});
  }

  // Names come again: a new column has none of the values that another had under its name.
  std::string free_name(const AlteredModel& model) {
    while (true) {
      const std::string name = "c\"" + std::to_string(below(9));
      const bool taken = std::any_of(model.columns.begin(),
                                     model.columns.end(),
                                     [&](const auto& column) { return column.field.name == name; });
      if (!taken) return name;
    }
  }

  TableAlteration alter(AlteredModel& model) {
    TableAlteration wanted;
    const std::size_t steps = 1 + below(2);
    for (std::size_t step = 0; step < steps; ++step) {
      const std::size_t index = below(model.columns.size());
      ModelColumn& column = model.columns[index];
      switch (below(4)) {
        case 0:
          if (model.columns.size() < 6) add_somewhere(model);
          break;
        case 1:
          if (index > 0 && model.columns.size() > 2) {
            wanted.renamed.erase(column.field.name);
            model.columns.erase(model.columns.begin() + static_cast<std::ptrdiff_t>(index));
          }
          break;
        case 2:
          if (!wanted.renamed.contains(column.field.name)) rename(model, column, wanted);
          break;
        default:
          if (index > 0 && column.field.type == Type::kInt) column.field.type = Type::kFloat;
      }
    }
    for (auto& [key, cells] : model.rows) {
      for (const ModelColumn& column : model.columns)
        cells[column.id] = cell_as(cells, column);
    }
    wanted.after = model.definition(table());
    return wanted;
  }

  void add_somewhere(AlteredModel& model) {
    static constexpr Type kTypes[] = {
        Type::kBool, Type::kInt, Type::kFloat, Type::kText, Type::kDate, Type::kTimestamp};
    const std::string name = free_name(model);
    // A name that the table has had in this snapshot is that column to the hub.
    for (const ModelColumn& column : now_.columns) {
      if (column.field.name == name) return;
    }
    add(model, name, kTypes[below(6)]);
    const auto at =
        model.columns.begin() + 1 + static_cast<std::ptrdiff_t>(below(model.columns.size() - 1));
    std::rotate(at, model.columns.end() - 1, model.columns.end());
  }

  void rename(AlteredModel& model, ModelColumn& column, TableAlteration& wanted) {
    const bool is_new = std::none_of(now_.columns.begin(),
                                     now_.columns.end(),
                                     [&](const ModelColumn& old) { return old.id == column.id; });
    const std::string name = free_name(model);
    for (const ModelColumn& old : now_.columns) {
      if (is_new || old.field.name == name) return;
    }
    wanted.renamed[name] = column.field.name;
    column.field.name = name;
  }

  Value random_cell(Type type) {
    if (below(6) == 0) return {};
    switch (type) {
      case Type::kBool:
        return below(2) == 0;
      case Type::kInt:
        return static_cast<std::int64_t>(below(40)) + 10;
      case Type::kFloat:
        return static_cast<double>(below(400)) / 8;
      case Type::kText:
        return std::string(below(2) == 0 ? "it's" : "ü") + std::to_string(below(5));
      case Type::kDate:
        return Date{static_cast<std::int32_t>(below(20'000))};
      case Type::kTimestamp:
        return Timestamp{static_cast<std::int64_t>(below(1'000'000'000)) * 1'000'000};
    }
    return {};
  }

  // Signed rows under the model's columns. Of a row that leaves the hub wants the key alone.
  Batch change(AlteredModel& model) {
    BatchBuilder rows(model.definition(table()).schema);
    const std::size_t count = 1 + below(below(3) == 0 ? 25 : 4);
    std::map<std::int64_t, bool> touched;
    for (std::size_t step = 0; step < count; ++step) {
      const auto key = static_cast<std::int64_t>(below(40));
      if (!touched.emplace(key, true).second) continue;
      const auto found = model.rows.find(key);
      const bool there = found != model.rows.end();
      if (there) rows.append_row(row_as(found->second, model), -1);
      if (there && below(2) == 0) {
        model.rows.erase(found);
        continue;
      }
      ModelCells cells;
      for (const ModelColumn& column : model.columns)
        cells[column.id] = random_cell(column.field.type);
      cells[model.columns.front().id] = key;
      rows.append_row(row_as(cells, model), 1);
      model.rows[key] = std::move(cells);
    }
    return must(rows.finish());
  }

  Hub* hub_;
  std::mt19937_64 random_;
  int next_id_ = 1;
  AlteredModel now_;
  std::map<std::int64_t, AlteredModel> snapshots_;
};

}  // namespace lockstep
