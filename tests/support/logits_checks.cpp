// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/problems.hpp"

#include <vector>

namespace lanemax::checks {
namespace {

const char* name_of(LogitsForm form) {
  return form == LogitsForm::panel ? "panel" : form == LogitsForm::dot ? "dot" : "sample";
}

/// The forms that may be asked for at this shape.
template <class T>
std::vector<LogitsForm> legal_forms(std::size_t features, std::size_t classes) {
  if (!is_class_major(classes)) return {LogitsForm::panel};
  if (sizeof(T) == sizeof(float) && features <= 128) return {LogitsForm::dot, LogitsForm::sample};
  return {LogitsForm::dot};
}

std::string describe(LogitsForm form, std::size_t rows, std::size_t features, std::size_t classes, Placement where) {
  return text(name_of(form), " logits ", rows, " x ", features, " x ", classes, ", stride +", where.extra_stride,
              ", offset ", where.offset);
}

struct Buffers {
  GuardedBuffer x, w, b, z;
  std::size_t runs = 0;
};

/// Calls the kernel on the first `rows` rows; the result lies in buffers.z with the given capacity. Every second time
/// it reads ahead, which changes nothing.
template <class T>
const T* run(const KernelTable& table, Buffers& buffers, const RowBlock<T>& x, const T* w, const T* b,
             std::size_t features, std::size_t classes, LogitsForm form, std::size_t capacity) {
  LogitsArgs<T> args;
  args.x = x;
  args.features = features;
  args.classes = classes;
  args.weights = w;
  args.bias = b;
  args.logits = buffers.z.ending_at_guard<T>(logit_count(capacity, classes), kNaN<T>);
  args.capacity = capacity;
  args.form = form;
  const ReadAhead ahead = {reinterpret_cast<const char*>(x.data), x.stride * sizeof(T), sizeof(T), x.count};
  if (buffers.runs++ % 2 == 1) args.ahead = &ahead;
  kernels<T>(table).logits(args);
  return args.logits;
}

template <class T, class Where>
void compare(Judge& judge, const T* z, std::size_t capacity, const std::vector<Estimate>& want, std::size_t rows,
             std::size_t classes, const Where& where) {
  const auto largest = static_cast<Real>(std::numeric_limits<T>::max());
  for (std::size_t n = 0; n < rows && judge.ok(); ++n) {
    for (std::size_t c = 0; c < classes; ++c) {
      judge.close(static_cast<Real>(z[logit_index(capacity, classes, n, c)]), want[n * classes + c], largest,
                  [&] { return text(where(), ": row ", n, " class ", c); });
    }
    for (std::size_t c = classes; !is_class_major(classes) && c < round_up(classes, kPanel); ++c) {
      judge.require(z[logit_index(capacity, classes, n, c)] == -kInf<T>,
                    [&] { return text(where(), ": row ", n, ": padded class ", c, " is not masked"); });
    }
  }
}

template <class T>
reference::Problem random_problem(Rng& rng, const Shape& shape, Values kind) {
  reference::Problem p;
  p.rows = shape.rows;
  p.features = shape.features;
  p.classes = shape.classes;
  p.x = make_values<T>(rng, p.rows * p.features, kind);
  p.w = make_values<T>(rng, p.classes * p.features, kind);
  p.b = make_values<T>(rng, p.classes, kind);
  return p;
}

}  // namespace

template <class T>
Verdict check_logits_small(const KernelTable& table) {
  constexpr std::size_t kMost = 33;
  const reference::Arithmetic arithmetic = reference::arithmetic_of<T>();
  Judge judge;
  Rng rng(10);
  Buffers buffers;
  std::size_t turn = 0;
  for (std::size_t features = 1; features <= kMost; ++features) {
    for (std::size_t classes = 1; classes <= kMostClassMajor + 1; ++classes) {
      const reference::Problem p = random_problem<T>(rng, {kMost, features, classes}, Values::ordinary);
      const std::vector<Estimate> want = reference::logits(p, arithmetic);
      const T* w = place_weights<T>(buffers.w, p.w, features, classes);
      const T* b = place_bias<T>(buffers.b, p.b);
      for (const LogitsForm form : legal_forms<T>(features, classes)) {
        for (std::size_t rows = 1; rows <= kMost; ++rows) {
          const Placement where = placement(turn++);
          const RowBlock<T> x = place_rows<T>(buffers.x, p.x, rows, features, where);
          // Panels need no more room than there are rows.
          const bool tight = form == LogitsForm::panel && turn % 3 == 0;
          const std::size_t capacity = tight ? rows : round_up(rows, 16) + (turn % 2) * 16;
          const T* z = run<T>(table, buffers, x, w, b, features, classes, form, capacity);
          compare(judge, z, capacity, want, rows, classes,
                  [&] { return describe(form, rows, features, classes, where); });
          if (!judge.ok()) return judge.finish(0);
        }
      }
    }
  }
  return judge.finish(0.99);
}

template <class T>
Verdict check_logits_large(const KernelTable& table) {
  const reference::Arithmetic arithmetic = reference::arithmetic_of<T>();
  Judge judge;
  Rng rng(11);
  Buffers buffers;
  std::size_t turn = 0;
  for (const Shape& shape : large_shapes()) {
    for (const Values kind : kAllValues) {
      if (kind != Values::ordinary && shape.features * shape.classes > 20000) continue;
      const reference::Problem p = random_problem<T>(rng, shape, kind);
      const std::vector<Estimate> want = reference::logits(p, arithmetic);
      const T* w = place_weights<T>(buffers.w, p.w, p.features, p.classes);
      const T* b = place_bias<T>(buffers.b, p.b);
      const std::vector<T> w_before(w, w + weight_count(p.features, p.classes));
      for (const LogitsForm form : legal_forms<T>(p.features, p.classes)) {
        const Placement where = placement(turn++);
        const RowBlock<T> x = place_rows<T>(buffers.x, p.x, p.rows, p.features, where);
        const std::vector<T> x_before(x.data, x.data + (p.rows - 1) * x.stride + p.features);
        const std::size_t capacity = round_up(p.rows, 16);
        const T* z = run<T>(table, buffers, x, w, b, p.features, p.classes, form, capacity);
        const auto about = [&] {
          return text(describe(form, p.rows, p.features, p.classes, where), ", values ", static_cast<int>(kind));
        };
        compare(judge, z, capacity, want, p.rows, p.classes, about);
        judge.require(std::memcmp(x_before.data(), x.data, x_before.size() * sizeof(T)) == 0 &&
                          std::memcmp(w_before.data(), w, w_before.size() * sizeof(T)) == 0,
                      [&] { return about() + ": an input was changed"; });
        if (!judge.ok()) return judge.finish(0);
      }
    }
  }
  return judge.finish(0.95);
}

template <class T>
Verdict check_logits_rows(const KernelTable& table) {
  Judge judge;
  Rng rng(12);
  Buffers buffers;
  constexpr Shape kShapes[] = {{50, 784, 10}, {50, 54, 7},  {50, 64, 8},  {50, 13, 3},    {50, 65, 5}, {50, 7, 1},
                               {50, 33, 15},  {50, 20, 16}, {50, 21, 40}, {50, 1030, 33}, {50, 9, 64}, {50, 19, 100},
                               {50, 70, 17},  {50, 37, 23}, {50, 18, 24}, {50, 50, 35},   {50, 22, 36}};
  for (const Shape& shape : kShapes) {
    const reference::Problem p = random_problem<T>(rng, shape, Values::ordinary);
    const std::size_t features = p.features, classes = p.classes;
    const T* w = place_weights<T>(buffers.w, p.w, features, classes);
    const T* b = place_bias<T>(buffers.b, p.b);
    for (const LogitsForm form : legal_forms<T>(features, classes)) {
      std::vector<T> alone(p.rows * classes);
      for (std::size_t n = 0; n < p.rows; ++n) {
        const std::vector<double> row(p.x.begin() + static_cast<std::ptrdiff_t>(n * features),
                                      p.x.begin() + static_cast<std::ptrdiff_t>((n + 1) * features));
        const RowBlock<T> x = place_rows<T>(buffers.x, row, 1, features, placement(n));
        const T* z = run<T>(table, buffers, x, w, b, features, classes, form, 16);
        for (std::size_t c = 0; c < classes; ++c) alone[n * classes + c] = z[logit_index(16, classes, 0, c)];
      }
      const RowBlock<T> all = place_rows<T>(buffers.x, p.x, p.rows, features, {3, 0});
      for (std::size_t first = 0; first < p.rows; first += first < 4 ? 1 : 7) {
        for (std::size_t rows = 1; first + rows <= p.rows && judge.ok(); ++rows) {
          const RowBlock<T> x{all.data + first * all.stride, all.stride, rows};
          const T* z = run<T>(table, buffers, x, w, b, features, classes, form, 64);
          for (std::size_t n = 0; n < rows; ++n) {
            for (std::size_t c = 0; c < classes; ++c) {
              judge.same(z[logit_index(64, classes, n, c)], alone[(first + n) * classes + c], [&] {
                return text(describe(form, rows, features, classes, {3, 0}), ": row ", first + n, " class ", c,
                            " against the row alone");
              });
            }
          }
        }
      }
    }
  }
  return judge.finish(0.99);
}

template <class T>
Verdict check_logits_special(const KernelTable& table) {
  const reference::Arithmetic arithmetic = reference::arithmetic_of<T>();
  Judge judge;
  Rng rng(13);
  Buffers buffers;
  for (const Shape& shape :
       {Shape{19, 21, 3}, Shape{19, 5, 1}, Shape{19, 70, 9}, Shape{19, 18, 16}, Shape{19, 13, 23}, Shape{19, 11, 37}}) {
    const std::size_t features = shape.features, classes = shape.classes;
    reference::Problem p = random_problem<T>(rng, shape, Values::ordinary);
    const std::size_t capacity = round_up(p.rows, 16);
    for (const LogitsForm form : legal_forms<T>(features, classes)) {
      for (std::size_t masked = 0; masked < classes; ++masked) {
        reference::Problem q = p;
        q.b[masked] = -kInf<double>;
        const T* w = place_weights<T>(buffers.w, q.w, features, classes);
        const RowBlock<T> x = place_rows<T>(buffers.x, q.x, q.rows, features, placement(masked));
        const T* z = run<T>(table, buffers, x, w, place_bias<T>(buffers.b, q.b), features, classes, form, capacity);
        compare(judge, z, capacity, reference::logits(q, arithmetic), q.rows, classes,
                [&] { return text(name_of(form), " logits of ", classes, " classes, class ", masked, " masked"); });
      }
      // A NaN or an infinity in a row reaches all logits of that row and of no other.
      const T* w = place_weights<T>(buffers.w, p.w, features, classes);
      const T* b = place_bias<T>(buffers.b, p.b);
      const std::vector<Estimate> want = reference::logits(p, arithmetic);
      for (std::size_t bad = 0; bad < p.rows; bad += 3) {
        for (std::size_t d = 0; d < features && judge.ok(); ++d) {
          std::vector<double> values = p.x;
          values[bad * features + d] = (bad + d) % 2 == 0 ? kNaN<double> : kInf<double>;
          const RowBlock<T> x = place_rows<T>(buffers.x, values, p.rows, features, placement(bad + d));
          const T* z = run<T>(table, buffers, x, w, b, features, classes, form, capacity);
          const auto about = [&] { return text(name_of(form), " logits, bad feature ", d, " in row ", bad); };
          for (std::size_t n = 0; n < p.rows; ++n) {
            for (std::size_t c = 0; c < classes; ++c) {
              const T got = z[logit_index(capacity, classes, n, c)];
              if (n == bad) {
                judge.require(!std::isfinite(got) || p.w[c * features + d] == 0,
                              [&] { return about() + ": swallowed"; });
              } else {
                judge.close(static_cast<Real>(got), want[n * classes + c], 1e30L,
                            [&] { return text(about(), ": row ", n); });
              }
            }
          }
        }
      }
    }
  }
  return judge.finish(0.95);
}

template <class T>
Verdict check_logits_slices(const KernelTable& table) {
  Judge judge;
  Rng rng(14);
  Buffers buffers;
  GuardedBuffer whole, slice_buffer, sums;
  std::size_t turn = 0;
  for (const std::size_t features : {1U, 15U, 16U, 17U, 31U, 32U, 33U, 100U, 128U, 200U, 1041U, 2100U}) {
    for (const std::size_t classes : {1U, 2U, 3U, 4U, 5U, 7U, 10U, 15U, 16U, 17U, 23U, 24U, 33U, 35U, 36U, 100U}) {
      const reference::Problem p = random_problem<T>(rng, {19, features, classes}, Values::ordinary);
      LogitsArgs<T> args;
      args.features = features;
      args.classes = classes;
      args.weights = place_weights<T>(buffers.w, p.w, features, classes);
      args.bias = place_bias<T>(buffers.b, p.b);
      for (const LogitsForm form : legal_forms<T>(features, classes)) {
        args.form = form;
        for (const std::size_t rows : {1U, 2U, 7U, 16U, 19U}) {
          args.capacity = round_up(rows, 16);
          const std::size_t count = logit_count(args.capacity, classes);
          LogitsArgs<T> one = args;
          one.x = place_rows<T>(buffers.x, p.x, rows, features, {});
          one.logits = whole.ending_at_guard<T>(count, kNaN<T>);
          kernels<T>(table).logits(one);

          LogitsArgs<T> part = args;
          FeatureSlice<T> slice{0, features, nullptr};
          part.slice = &slice;
          part.logits = buffers.z.ending_at_guard<T>(count, kNaN<T>);
          if (form == LogitsForm::dot) slice.sums = sums.ending_at_guard<T>(rows * classes * kPanel, kNaN<T>);
          for (; slice.first < features; slice.first += part.features) {
            part.features = std::min(features - slice.first, kPanel * (1 + rng.below(features > 1000 ? 40 : 3)));
            std::vector<double> values;
            for (std::size_t n = 0; n < rows; ++n) {
              const auto first = p.x.begin() + static_cast<std::ptrdiff_t>(n * features + slice.first);
              values.insert(values.end(), first, first + static_cast<std::ptrdiff_t>(part.features));
            }
            part.x = place_rows<T>(slice_buffer, values, rows, part.features, placement(turn++));
            kernels<T>(table).logits(part);
          }
          for (std::size_t n = 0; n < rows; ++n) {
            for (std::size_t c = 0; c < classes && judge.ok(); ++c) {
              const std::size_t i = logit_index(args.capacity, classes, n, c);
              judge.same(part.logits[i], one.logits[i], [&] {
                return text(describe(form, rows, features, classes, {}), " in slices: row ", n, " class ", c);
              });
            }
          }
        }
      }
    }
  }
  return judge.finish(0.9);
}

template Verdict check_logits_small<float>(const KernelTable&);
template Verdict check_logits_small<double>(const KernelTable&);
template Verdict check_logits_large<float>(const KernelTable&);
template Verdict check_logits_large<double>(const KernelTable&);
template Verdict check_logits_rows<float>(const KernelTable&);
template Verdict check_logits_rows<double>(const KernelTable&);
template Verdict check_logits_special<float>(const KernelTable&);
template Verdict check_logits_special<double>(const KernelTable&);
template Verdict check_logits_slices<float>(const KernelTable&);
template Verdict check_logits_slices<double>(const KernelTable&);

}  // namespace lanemax::checks
