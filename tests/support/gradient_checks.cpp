// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/problems.hpp"

#include <vector>

namespace lanemax::checks {
namespace {

using reference::ProductSum;

struct Buffers {
  GuardedBuffer x, g, w, out, next;
};

/// dlogits [rows][classes] and what they multiply.
struct Case {
  std::size_t rows = 0, features = 0, classes = 0;
  std::vector<double> x, g, old;  // old: what dweights hold before, [classes][features]
};
template <class T>
Case random_case(Rng& rng, const Shape& shape, Values kind = Values::ordinary) {
  Case c{shape.rows, shape.features, shape.classes, {}, {}, {}};
  c.x = make_values<T>(rng, c.rows * c.features, kind);
  c.g = make_values<T>(rng, c.rows * c.classes, kind);
  c.old = make_values<T>(rng, c.classes * c.features, kind);
  return c;
}

/// dweights before the call: NaN if they are not to be read; else the old values with padding 0.
template <class T>
T* place_dweights(GuardedBuffer& buffer, const Case& p, bool accumulate) {
  if (accumulate) return place_weights<T>(buffer, p.old, p.features, p.classes);
  return buffer.ending_at_guard<T>(weight_count(p.features, p.classes), kNaN<T>);
}

template <class T>
GradientArgs<T> whole(const Case& p, const RowBlock<T>& x, const T* g, std::size_t capacity, T* dweights,
                      bool accumulate) {
  GradientArgs<T> args;
  args.x = x;
  args.dlogits = g;
  args.capacity = capacity;
  args.features = p.features;
  args.classes = p.classes;
  args.feature_end = p.features;
  args.panel_end = panel_count(p.classes);
  args.dweights = dweights;
  args.accumulate = accumulate;
  return args;
}

/// Every weight against its sum over the first `rows` rows; everything else must be 0.
template <class T, class Where>
void compare(Judge& judge, const T* got, const Case& p, const std::vector<ProductSum>& sums, bool accumulate,
             const Where& where) {
  const reference::Arithmetic arithmetic = reference::arithmetic_of<T>();
  std::vector<char> used(weight_count(p.features, p.classes));
  for (std::size_t c = 0; c < p.classes && judge.ok(); ++c) {
    for (std::size_t d = 0; d < p.features; ++d) {
      const std::size_t i = c * p.features + d, at = weight_index(p.features, p.classes, c, d);
      ProductSum sum = sums[i];
      if (accumulate) sum.add(static_cast<Real>(p.old[i]), 1);
      used[at] = 1;
      judge.close(static_cast<Real>(got[at]), sum.sum(arithmetic), arithmetic.max,
                  [&] { return text(where(), ": class ", c, " feature ", d); });
    }
  }
  for (std::size_t i = 0; i < used.size() && judge.ok(); ++i) {
    if (used[i] == 0 && got[i] != T(0)) judge.fail(text(where(), ": padding ", i, " is ", got[i]));
  }
}

void add_row(std::vector<ProductSum>& sums, const Case& p, std::size_t n) {
  for (std::size_t c = 0; c < p.classes; ++c) {
    for (std::size_t d = 0; d < p.features; ++d) {
      sums[c * p.features + d].add(static_cast<Real>(p.g[n * p.classes + c]),
                                   static_cast<Real>(p.x[n * p.features + d]));
    }
  }
}

/// Both ways of accumulation over the first `rows` rows.
template <class T>
void check_rows(Judge& judge, const KernelTable& table, Buffers& buffers, const Case& p, std::size_t rows,
                const std::vector<ProductSum>& sums, Placement where) {
  const bool tight = !is_class_major(p.classes) && where.extra_stride % 2 == 1;  // panels need no more room than rows
  const std::size_t capacity = tight ? rows : round_up(rows, 16) + where.offset % 2 * 16;
  const RowBlock<T> x = place_rows<T>(buffers.x, p.x, rows, p.features, where);
  const T* g = place_logits<T>(buffers.g, p.g, rows, p.classes, capacity, T(0));
  for (const bool accumulate : {false, true}) {
    T* dweights = place_dweights<T>(buffers.out, p, accumulate);
    kernels<T>(table).gradient(whole<T>(p, x, g, capacity, dweights, accumulate));
    compare(judge, dweights, p, sums, accumulate, [&] {
      return text("gradient ", rows, " x ", p.features, " x ", p.classes, accumulate ? ", accumulated" : ", fresh",
                  ", stride +", where.extra_stride, ", offset ", where.offset);
    });
  }
}

/// The weights exactly, of numbers so whole that no order of summation rounds.
std::vector<double> exact_sums(const Case& p, bool accumulate) {
  std::vector<double> sums = accumulate ? p.old : std::vector<double>(p.classes * p.features);
  for (std::size_t n = 0; n < p.rows; ++n) {
    for (std::size_t c = 0; c < p.classes; ++c) {
      const double g = p.g[n * p.classes + c];
      if (g == 0) continue;
      for (std::size_t d = 0; d < p.features; ++d) sums[c * p.features + d] += g * p.x[n * p.features + d];
    }
  }
  return sums;
}

/// The gradient of numbers that are exact, with and without what was there before, against exact_sums().
template <class T>
void check_exact(Judge& judge, const KernelTable& table, Buffers& buffers, const Case& p, const std::string& what) {
  const std::size_t capacity = round_up(p.rows, 16);
  const RowBlock<T> x = place_rows<T>(buffers.x, p.x, p.rows, p.features, {3, 0});
  const T* g = place_logits<T>(buffers.g, p.g, p.rows, p.classes, capacity, T(0));
  for (const bool accumulate : {false, true}) {
    T* got = place_dweights<T>(buffers.out, p, accumulate);
    std::vector<T> want(weight_count(p.features, p.classes));
    const std::vector<double> sums = exact_sums(p, accumulate);
    for (std::size_t c = 0; c < p.classes; ++c) {
      for (std::size_t d = 0; d < p.features; ++d) {
        want[weight_index(p.features, p.classes, c, d)] = static_cast<T>(sums[c * p.features + d]);
      }
    }
    kernels<T>(table).gradient(whole<T>(p, x, g, capacity, got, accumulate));
    for (std::size_t c = 0; c < p.classes && is_class_major(p.classes); ++c) {
      if (!std::isnan(sums[c * p.features])) continue;  // NaN times the padding of the features may be anything
      const std::size_t end = (c + 1) * round_up(p.features, kPanel);
      for (std::size_t i = c * round_up(p.features, kPanel) + p.features; i < end; ++i) want[i] = got[i];
    }
    for (std::size_t i = 0; i < want.size() && judge.ok(); ++i) {
      judge.same(got[i], want[i], [&] {
        return text("gradient ", p.rows, " x ", p.features, " x ", p.classes, ", ", what,
                    accumulate ? ", accumulated" : ", fresh", ": element ", i);
      });
    }
  }
}

}  // namespace

template <class T>
Verdict check_gradient_small(const KernelTable& table) {
  constexpr std::size_t kMost = 33;
  Judge judge;
  Rng rng(20);
  Buffers buffers;
  std::size_t turn = 0;
  for (std::size_t features = 1; features <= kMost; ++features) {
    for (std::size_t classes = 1; classes <= kMostClassMajor + 1; ++classes) {
      const Case p = random_case<T>(rng, {kMost, features, classes});
      std::vector<ProductSum> sums(classes * features);
      for (std::size_t rows = 1; rows <= kMost; ++rows) {
        add_row(sums, p, rows - 1);
        if (rows > 4 && (rows + features + classes) % 4 != 0) continue;
        check_rows<T>(judge, table, buffers, p, rows, sums, placement(turn++));
        if (!judge.ok()) return judge.finish(0);
      }
    }
  }
  return judge.finish(0.99);
}

template <class T>
Verdict check_gradient_large(const KernelTable& table) {
  Judge judge;
  Rng rng(21);
  Buffers buffers;
  std::size_t turn = 0;
  for (const Shape& shape : large_shapes()) {
    const Case p = random_case<T>(rng, shape);
    std::vector<ProductSum> sums(p.classes * p.features);
    for (std::size_t n = 0; n < p.rows; ++n) add_row(sums, p, n);
    check_rows<T>(judge, table, buffers, p, p.rows, sums, placement(turn++));
    if (!judge.ok()) break;

    // No rows: a gradient of 0, or what was there before.
    for (const bool accumulate : {false, true}) {
      const RowBlock<T> x = place_rows<T>(buffers.x, p.x, 1, p.features, {0, 0});
      const T* g = place_logits<T>(buffers.g, p.g, 0, p.classes, 16, T(0));
      T* dweights = place_dweights<T>(buffers.out, p, accumulate);
      kernels<T>(table).gradient(whole<T>(p, {x.data, x.stride, 0}, g, 16, dweights, accumulate));
      Judge empty;
      compare(empty, dweights, p, std::vector<ProductSum>(p.classes * p.features), accumulate,
              [&] { return text("gradient of no rows, ", p.features, " x ", p.classes); });
      judge.merge(empty.finish(accumulate ? 0.99 : 0));
    }
  }
  return judge.finish(0.6);
}

template <class T>
Verdict check_gradient_parts(const KernelTable& table) {
  Judge judge;
  Rng rng(22);
  Buffers buffers;
  std::size_t turn = 0;
  for (const Shape& shape : {Shape{21, 100, 10}, Shape{17, 784, 10}, Shape{33, 54, 7}, Shape{9, 31, 1},
                             Shape{12, 33, 15}, Shape{21, 100, 16}, Shape{19, 40, 17}, Shape{10, 49, 33},
                             Shape{7, 65, 35}, Shape{11, 33, 36}, Shape{6, 96, 100}, Shape{5, 15, 150}}) {
    const Case p = random_case<T>(rng, shape);
    const std::size_t capacity = round_up(p.rows, 16), count = weight_count(p.features, p.classes);
    const std::size_t panels = is_class_major(p.classes) ? 1 : panel_count(p.classes);
    for (const bool accumulate : {false, true}) {
      for (std::size_t try_ = 0; try_ < 12 && judge.ok(); ++try_) {
        const RowBlock<T> x = place_rows<T>(buffers.x, p.x, p.rows, p.features, placement(turn++));
        const T* g = place_logits<T>(buffers.g, p.g, p.rows, p.classes, capacity, T(0));
        T* out = place_dweights<T>(buffers.out, p, accumulate);
        kernels<T>(table).gradient(whole<T>(p, x, g, capacity, out, accumulate));
        const std::vector<T> want(out, out + count);

        // The same in parts: cuts of the features at multiples of 16, cuts of the panels anywhere; odd tries read
        // ahead.
        const std::size_t feature_step = 16 * (1 + rng.below(4)), panel_step = 1 + rng.below(panels);
        const RowBlock<T> next = place_rows<T>(buffers.next, p.x, p.rows, p.features, {0, 0});
        std::vector<std::uint32_t> backwards(p.rows);
        for (std::size_t n = 0; n < p.rows; ++n) backwards[n] = static_cast<std::uint32_t>(p.rows - 1 - n);
        out = place_dweights<T>(buffers.w, p, accumulate);
        std::vector<T> before(out, out + count);
        for (std::size_t f = 0; f < p.features; f += feature_step) {
          for (std::size_t q = 0; q < panels; q += panel_step) {
            GradientArgs<T> args = whole<T>(p, x, g, capacity, out, accumulate);
            args.feature_begin = f;
            args.feature_end = std::min(f + feature_step, p.features);
            args.panel_begin = q;
            args.panel_end = std::min(q + panel_step, panels);
            if (try_ % 2 == 1) {
              args.ahead = {reinterpret_cast<const char*>(next.data), next.stride * sizeof(T), sizeof(T), p.rows};
              if (try_ % 4 == 3) args.ahead.selection = backwards.data();
            }
            kernels<T>(table).gradient(args);
            // Nothing outside of the part has changed.
            for (std::size_t i = 0; i < count; ++i) {
              const std::size_t width = round_up(p.features, kPanel);
              const std::size_t d = is_class_major(p.classes) ? i % width : i / kPanel % p.features;
              const std::size_t panel = is_class_major(p.classes) ? q : i / kPanel / p.features;
              const std::size_t d_end = args.feature_end == p.features ? width : args.feature_end;
              const bool inside = d >= f && d < d_end && panel >= args.panel_begin && panel < args.panel_end;
              if (!inside) judge.same(out[i], before[i], [&] { return text("outside of a part, element ", i); });
            }
            before.assign(out, out + count);
          }
        }
        for (std::size_t i = 0; i < count; ++i) {
          judge.same(out[i], want[i], [&] {
            return text("gradient ", p.rows, " x ", p.features, " x ", p.classes, " in parts of ", feature_step,
                        " features, ", panel_step, " panels: element ", i, " against the whole");
          });
        }
      }
    }
  }
  return judge.finish(0.5);
}

template <class T>
Verdict check_gradient_zeros(const KernelTable& table) {
  Judge judge;
  Rng rng(25);
  Buffers buffers;
  std::size_t turn = 0;
  struct Zeros {
    std::size_t begin, end;          // classes
    std::size_t row_begin, row_end;  // in halves of the rows
  };
  // Columns of tiles are 8 to 64 classes wide, K blocks up to 384 rows long.
  for (const Shape& shape : {Shape{5, 7, 16}, Shape{9, 50, 100}, Shape{33, 21, 200}, Shape{800, 53, 70},
                             Shape{17, 40, 33}, Shape{17, 40, 10}}) {
    const Case full = random_case<T>(rng, shape, Values::whole);
    const std::size_t classes = shape.classes;
    for (const Zeros& zeros :
         {Zeros{0, classes, 0, 2}, Zeros{0, 64, 0, 2}, Zeros{64, 128, 0, 2}, Zeros{64, classes, 0, 2},
          Zeros{0, 16, 0, 2}, Zeros{16, 32, 0, 2}, Zeros{48, 64, 0, 2}, Zeros{classes / 16 * 16, classes, 0, 2},
          Zeros{0, 17, 0, 2}, Zeros{3, 4, 0, 2}, Zeros{0, classes, 0, 1}, Zeros{0, classes, 1, 2}, Zeros{0, 64, 0, 1},
          Zeros{16, classes, 1, 2}}) {
      const std::size_t end = std::min(zeros.end, classes);
      if (zeros.begin >= end) continue;
      Case p = full;
      const double zero = turn++ % 2 == 0 ? 0.0 : -0.0;
      for (std::size_t n = p.rows * zeros.row_begin / 2; n < p.rows * zeros.row_end / 2; ++n) {
        for (std::size_t c = zeros.begin; c < end; ++c) p.g[n * classes + c] = zero;
      }
      const std::string what = text("dlogits of ", zero, " in classes ", zeros.begin, " to ", end, ", halves ",
                                    zeros.row_begin, " to ", zeros.row_end, " of the rows");
      check_exact<T>(judge, table, buffers, p, what);
      if (!judge.ok()) return judge.finish(0);

      // One dlogit that is not 0, anywhere in the column: the smallest number counts, NaN reaches its class and no
      // other.
      if (zeros.row_end - zeros.row_begin < 2) continue;
      for (const bool last : {true, false}) {
        Case q = p;
        const std::size_t n = last ? q.rows - 1 : rng.below(q.rows);
        const std::size_t c = last ? end - 1 : zeros.begin + rng.below(end - zeros.begin);
        double& g = q.g[n * classes + c];
        g = last ? static_cast<double>(std::numeric_limits<T>::denorm_min()) : kNaN<double>;
        check_exact<T>(judge, table, buffers, q, text(what, ", but ", g, " in row ", n, ", class ", c));
      }
    }

    // Nothing but zeros is added to the panels: not a bit of them changes, not even a sign of 0.
    if (is_class_major(classes)) continue;
    for (const double zero : {0.0, -0.0}) {
      Case p = full;
      std::fill(p.g.begin(), p.g.end(), zero);
      for (std::size_t i = 0; i < p.old.size(); ++i) {
        if (i % 3 == 0) p.old[i] = i % 2 == 0 ? -0.0 : kNaN<double>;
      }
      const std::size_t capacity = round_up(p.rows, 16), count = weight_count(p.features, classes);
      const RowBlock<T> x = place_rows<T>(buffers.x, p.x, p.rows, p.features, {0, 0});
      const T* g = place_logits<T>(buffers.g, p.g, p.rows, classes, capacity, T(0));
      T* got = place_dweights<T>(buffers.out, p, true);
      const std::vector<T> before(got, got + count);
      kernels<T>(table).gradient(whole<T>(p, x, g, capacity, got, true));
      judge.require(std::memcmp(before.data(), got, count * sizeof(T)) == 0, [&] {
        return text("gradient ", p.rows, " x ", p.features, " x ", classes, ": adding dlogits of ", zero,
                    " changes a bit");
      });
    }
  }
  return judge.finish(0.3);
}

template <class T>
Verdict check_bias_gradient(const KernelTable& table) {
  const reference::Arithmetic arithmetic = reference::arithmetic_of<T>();
  Judge judge;
  Rng rng(23);
  Buffers buffers;
  for (std::size_t classes = 1; classes <= 100; classes += classes <= kMostClassMajor ? 1 : 11) {
    const Case p = random_case<T>(rng, {40, 1, classes});
    for (std::size_t rows = 1; rows <= p.rows; ++rows) {
      const std::size_t capacity = round_up(rows, 16) + rows % 2 * 16;
      const T* g = place_logits<T>(buffers.g, p.g, rows, classes, capacity, T(0));
      for (const bool accumulate : {false, true}) {
        T* dbias = buffers.out.ending_at_guard<T>(bias_count(classes), accumulate ? T(0) : kNaN<T>);
        for (std::size_t c = 0; accumulate && c < classes; ++c) dbias[c] = static_cast<T>(p.old[c]);
        BiasGradientArgs<T> args;
        args.dlogits = g;
        args.capacity = capacity;
        args.rows = rows;
        args.classes = classes;
        args.dbias = dbias;
        args.accumulate = accumulate;
        kernels<T>(table).bias_gradient(args);
        for (std::size_t c = 0; c < bias_count(classes); ++c) {
          const auto about = [&] { return text("dbias ", c, " of ", classes, ", ", rows, " rows"); };
          if (c >= classes) {
            if (judge.ok() && dbias[c] != T(0)) judge.fail(about() + ": padding is not 0");
            continue;
          }
          ProductSum sum;
          if (accumulate) sum.add(static_cast<Real>(p.old[c]), 1);
          for (std::size_t n = 0; n < rows; ++n) sum.add(static_cast<Real>(p.g[n * classes + c]), 1);
          judge.close(static_cast<Real>(dbias[c]), sum.sum(arithmetic), arithmetic.max, about);
        }
      }
    }
  }
  return judge.finish(0.99);
}

template <class T>
Verdict check_feature_gradient(const KernelTable& table) {
  const reference::Arithmetic arithmetic = reference::arithmetic_of<T>();
  Judge judge;
  Rng rng(24);
  Buffers buffers;
  std::vector<Shape> shapes = {{9, 784, 10}, {5, 100, 100}, {3, 54, 7}, {2, 17, 1000}};
  for (std::size_t features = 1; features <= 33; ++features) {
    for (std::size_t classes = 1; classes <= kMostClassMajor + 1; ++classes)
      shapes.push_back({1 + (features + classes) % 5, features, classes});
  }
  std::size_t turn = 0;
  for (const Shape& shape : shapes) {
    const Case p = random_case<T>(rng, shape);
    const std::size_t capacity = round_up(p.rows, 16);
    const T scale = turn % 2 == 0 ? T(1) : T(0.37f);
    const Placement where = placement(turn++);
    FeatureGradientArgs<T> args;
    args.dlogits = place_logits<T>(buffers.g, p.g, p.rows, p.classes, capacity, T(0));
    args.capacity = capacity;
    args.rows = p.rows;
    args.features = p.features;
    args.classes = p.classes;
    args.weights = place_weights<T>(buffers.w, p.old, p.features, p.classes);
    args.scale = scale;
    args.stride = p.features + where.extra_stride;
    const std::size_t size = (p.rows - 1) * args.stride + p.features;
    args.dfeatures = where.offset == 0 ? buffers.out.ending_at_guard<T>(size, kNaN<T>)
                                       : buffers.out.misaligned<T>(size, where.offset, kNaN<T>);
    kernels<T>(table).feature_gradient(args);
    for (std::size_t n = 0; n < p.rows && judge.ok(); ++n) {
      const auto about = [&] { return text("dfeatures ", p.rows, " x ", p.features, " x ", p.classes, ": row ", n); };
      for (std::size_t d = 0; d < args.stride && (n + 1 < p.rows || d < p.features); ++d) {
        const T got = args.dfeatures[n * args.stride + d];
        if (d >= p.features) {
          if (judge.ok() && !std::isnan(got)) judge.fail(about() + ": wrote between the rows");
          continue;
        }
        ProductSum sum;
        for (std::size_t c = 0; c < p.classes; ++c) {
          sum.add(static_cast<Real>(p.g[n * p.classes + c]), static_cast<Real>(p.old[c * p.features + d]));
        }
        const Estimate s = sum.sum(arithmetic);
        const Real factor = static_cast<Real>(scale);
        judge.close(static_cast<Real>(got),
                    {factor * s.value, factor * s.bound + 2 * arithmetic.u * std::fabs(factor * s.value)},
                    arithmetic.max, [&] { return text(about(), " feature ", d); });
      }
    }
  }
  return judge.finish(0.99);
}

template Verdict check_gradient_small<float>(const KernelTable&);
template Verdict check_gradient_small<double>(const KernelTable&);
template Verdict check_gradient_large<float>(const KernelTable&);
template Verdict check_gradient_large<double>(const KernelTable&);
template Verdict check_gradient_parts<float>(const KernelTable&);
template Verdict check_gradient_parts<double>(const KernelTable&);
template Verdict check_gradient_zeros<float>(const KernelTable&);
template Verdict check_gradient_zeros<double>(const KernelTable&);
template Verdict check_bias_gradient<float>(const KernelTable&);
template Verdict check_bias_gradient<double>(const KernelTable&);
template Verdict check_feature_gradient<float>(const KernelTable&);
template Verdict check_feature_gradient<double>(const KernelTable&);

}  // namespace lanemax::checks
