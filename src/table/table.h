// The table layer: what data looks like while it moves.
//
// A column has one of six types (table/types.h). Rows travel as a Batch: Arrow columns, and a sign
// for each row, +1 for one that enters a dataset and -1 for one that leaves it. Files become
// batches and batches files through a codec (table/codec.h); the hub's own Parquet files through
// table/parquet.h.
//
// What it promises:
//   table-1  A batch never changes. Whoever holds one may read it from any thread.
//   table-2  Types are exact: no codec rounds, truncates or guesses silently. What a text does not
//   spell in the
//            column's type makes a BadRow with line, column and text; the rows around it are not
//            touched.
//   table-3  encode_key is injective and ordered, and the same on every machine and in every
//   release. table-4  A decoder holds a bounded piece of its file in memory, whatever the file's
//   size. table-5  No byte sequence makes a decoder crash, hang, or read without end.
//
// What it does not do: know where rows come from (source), what they mean (prepare), or where they
// stay (hub).
//
//   BatchBuilder builder(Schema({{"patient", Type::kInt}, {"sbp", Type::kFloat}}));
//   builder.append_row(std::vector<Value>{std::int64_t{17}, 121.5});
//   Batch batch = TRY(builder.finish());
//   double sbp = batch.float_at(1, 0);
#pragma once

#include "table/batch.h"
#include "table/codec.h"
#include "table/parquet.h"
#include "table/types.h"
