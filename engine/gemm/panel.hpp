// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_GEMM_PANEL_HPP
#define LANEMAX_ENGINE_GEMM_PANEL_HPP

#include "engine/simd/vec.hpp"

namespace lanemax {
namespace {

// The panel form of both products (C >= 16). In the panel layout they are one operation,
//
//   C[i][class] += sum over k of A(i, k) * B[k][class]
//
//             i        k         A(i, k)                     B                       C
//   logits    row      feature   x[i][k], where it lies      W panels [.][D][16]     logits panels [.][capacity][16]
//   gradient  feature  row       strip[k][i], copied from x  dlogits panels          dW panels [.][D][16]
//
// so one micro-kernel serves both: MR values of A are broadcast, NV vectors of B are loaded, MR * NV accumulators stay
// in registers for the whole K block. Where registers are few, only kPanelHeldVectors of the vectors of B stay in one
// for all rows of the tile; the others are read again for each. X is never copied as a whole.
//
// Limit: the multiply-add units. Loads per k step are MR + NV against MR * NV multiply-adds. What stands in the way is
// the gradient's walk down the columns of X: rows lie a multiple of a page apart as often as not, so that a column
// falls in a few sets of L1, and no prefetcher follows it. A schedule (engine/isa/schedules.hpp) says what is done
// about it: X is read where it lies, with tiles so wide that each line, asked for some features earlier, has time to
// arrive; or strips of kStripWidth features are copied to a place in L1, which they share with the tile's columns of B.

// How a tile finds A(i, k): x where it lies, i down its rows or along its columns; or a strip copied from it.
enum class Walk { rows, columns, strip };

inline constexpr std::size_t kPrefetchFeatures = 32;
// NC: C and B of so many panels stay in L2 over all pc (SSE2, 2048 classes and features: 78 % of peak instead of 73).
inline constexpr std::size_t kColumnPanels = 32;

// How often a strip holds each value: a vector's worth where broadcasting is no part of a load.
template <class Arch, class T>
inline constexpr std::size_t kStripCopies = Arch::kSpreadStrips ? kLanes<Arch, T> : 1;

// K of a strip: what of A and B a k step reads, over the schedule's share of L1.
template <class Arch, class T, class Schedule>
constexpr std::size_t strip_depth() {
  constexpr std::size_t kEntries =
      Arch::kPanelTileVectors * kLanes<Arch, T> + Arch::kStripWidth * kStripCopies<Arch, T>;
  constexpr std::size_t kDepth = Schedule::kStripBytes / (kEntries * sizeof(T)) / 8 * 8;
  return kDepth > 8 ? kDepth : 8;
}

template <class T>
struct PanelGemm {
  const T* a = nullptr;      // A(0, 0)
  std::size_t a_stride = 0;  // elements from one row of X, or of the strip, to the next
  const T* b = nullptr;      // first panel, row k = 0
  std::size_t b_panel = 0;   // elements from one panel of B to the next
  bool skip_zeros = false;   // columns of B that are 0 add nothing and need no time
  T* c = nullptr;            // first panel, row i = 0
  std::size_t c_panel = 0;
  std::size_t depth = 0;     // K of this block
  const T* start = nullptr;  // start accumulators from this bias, [panel][16] ...
  bool accumulate = false;   // ... or from C, or from 0
  const T* ahead = nullptr;  // B of the next column of tiles: a tile asks for `ahead_depth` of its rows
  std::size_t ahead_depth = 0;
};

// One MR x NV register tile at row i, vector column v0 (in vectors from the first panel).
template <class Arch, class T, Walk kWalk, std::size_t MR, std::size_t NV>
[[gnu::noinline]] void panel_tile(const PanelGemm<T>& g, std::size_t i, std::size_t v0) {
  using V = Vec<Arch, T>;
  constexpr std::size_t kL = kLanes<Arch, T>;
  constexpr std::size_t kPV = kPanelVectors<Arch, T>;
  // Vector j of the tile: lanes (v0 + j) % kPV of panel (v0 + j) / kPV. A tile spans whole panels or a part of one.
  const std::size_t panel = v0 / kPV;
  const std::size_t lane = v0 % kPV * kL;
  const T* b = g.b + panel * g.b_panel + lane;
  T* c = g.c + panel * g.c_panel + i * kPanel + lane;
  const auto offset = [](std::size_t j, std::size_t panel_size) { return j / kPV * panel_size + j % kPV * kL; };

  V acc[MR][NV];
  if (g.start != nullptr) {
    const T* start = g.start + panel * kPanel + lane;
#pragma GCC unroll 32
    for (std::size_t j = 0; j < NV; ++j) {
      const V bias = load_aligned<Arch>(start + offset(j, kPanel));
#pragma GCC unroll 32
      for (std::size_t m = 0; m < MR; ++m) acc[m][j] = bias;
    }
  } else if (g.accumulate) {
#pragma GCC unroll 32
    for (std::size_t m = 0; m < MR; ++m) {
#pragma GCC unroll 32
      for (std::size_t j = 0; j < NV; ++j)
        acc[m][j] = load_aligned<Arch>(static_cast<const T*>(c) + m * kPanel + offset(j, g.c_panel));
    }
  } else {
#pragma GCC unroll 32
    for (std::size_t m = 0; m < MR; ++m) {
#pragma GCC unroll 32
      for (std::size_t j = 0; j < NV; ++j) acc[m][j] = V(T(0));
    }
  }

  constexpr bool kRows = kWalk == Walk::rows;
  constexpr std::size_t kCopies = kWalk == Walk::strip ? kStripCopies<Arch, T> : 1;
  const std::size_t stride = g.a_stride;
  const T* a = kRows ? g.a + i * stride : g.a + i * kCopies;
  const std::size_t b_panel = g.b_panel;
  constexpr std::size_t kHeld = smaller(NV, Arch::kPanelHeldVectors);
  const auto step = [&]() __attribute__((always_inline)) {
    if constexpr (kWalk == Walk::columns) __builtin_prefetch(a + kPrefetchFeatures);
    V bv[NV];
#pragma GCC unroll 32
    for (std::size_t j = 0; j < kHeld; ++j) bv[j] = load_aligned<Arch>(b + offset(j, b_panel));
#pragma GCC unroll 32
    for (std::size_t m = 0; m < MR; ++m) {
      V av;
      if constexpr (kCopies > 1) {
        av = load_aligned<Arch>(a + m * kCopies);
      } else {
        av = V(kRows ? a[m * stride] : a[m]);
      }
      // As if b had moved: a compiler cannot keep in registers what it read there for the row before.
      if constexpr (kHeld < NV) asm("" : "+r"(b));
#pragma GCC unroll 32
      for (std::size_t j = 0; j < NV; ++j) {
        if (j >= kHeld) bv[j] = load_aligned<Arch>(b + offset(j, b_panel));
        acc[m][j] = Arch::madd(av, bv[j], acc[m][j]);
      }
    }
    b += kPanel;
    a += kRows ? 1 : stride;
  };
  constexpr std::size_t kLineVectors = 64 / (kL * sizeof(T));
  std::size_t k = 0;
  for (const T* ahead = g.ahead; k < g.ahead_depth; ++k, ahead += kPanel) {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < NV; j += kLineVectors) __builtin_prefetch(ahead + offset(j, b_panel));
    step();
  }
  for (; k < g.depth; ++k) step();

#pragma GCC unroll 32
  for (std::size_t m = 0; m < MR; ++m) {
#pragma GCC unroll 32
    for (std::size_t j = 0; j < NV; ++j) store<Arch>(c + m * kPanel + offset(j, g.c_panel), acc[m][j]);
  }
}

// Loop ir: all rows i of one column of tiles. Full tiles, then 4, 2, 1 rows; the tile's size does not touch the bits.
// The first tile of a column would wait for B, which no prefetcher follows from panel to panel: so the tiles of the
// column before ask for it, each for its share.
template <class Arch, class T, Walk kWalk, std::size_t NV>
inline void panel_rows(PanelGemm<T> g, std::size_t begin, std::size_t end, std::size_t v, bool is_last) {
  constexpr std::size_t MR = Arch::panel_rows(NV), kPV = kPanelVectors<Arch, T>;
  // A few tiles stream B itself: what they asked for would be out of L1 before it is needed.
  constexpr std::size_t kFewestTiles = kWalk == Walk::rows ? 8 : 1;
  const std::size_t tiles = (end - begin) / MR;
  const std::size_t share = is_last || tiles < kFewestTiles ? 0 : (g.depth + tiles - 1) / tiles;
  if (share > 0) g.ahead = g.b + (v + NV) / kPV * g.b_panel + (v + NV) % kPV * kLanes<Arch, T>;
  std::size_t i = begin;
  for (std::size_t left = g.depth; i + MR <= end; i += MR, left -= g.ahead_depth) {
    g.ahead_depth = smaller(share, left);
    panel_tile<Arch, T, kWalk, MR, NV>(g, i, v);
    if (share > 0) g.ahead += g.ahead_depth * kPanel;
  }
  g.ahead_depth = 0;
  if constexpr (MR > 4) {
    for (; i + 4 <= end; i += 4) panel_tile<Arch, T, kWalk, 4, NV>(g, i, v);
  }
  if constexpr (MR > 2) {
    for (; i + 2 <= end; i += 2) panel_tile<Arch, T, kWalk, 2, NV>(g, i, v);
  }
  for (; i < end; ++i) panel_tile<Arch, T, kWalk, 1, NV>(g, i, v);
}

// Whether a column of tiles has nothing to add: all of B is 0 (a class far from every row's: its probabilities have
// underflowed). Usually the first vector says no.
template <class Arch, class T>
inline bool adds_nothing(const PanelGemm<T>& g, std::size_t v, std::size_t count) {
  using V = Vec<Arch, T>;
  constexpr std::size_t kPV = kPanelVectors<Arch, T>;
  for (std::size_t j = v; j < v + count; ++j) {
    const T* b = g.b + j / kPV * g.b_panel + j % kPV * kLanes<Arch, T>;
    for (std::size_t k = 0; k < g.depth; ++k) {
      if (!xsimd::all(load_aligned<Arch>(b + k * kPanel) == V(T(0)))) return false;
    }
  }
  return true;
}

// Loop jr: columns of NV vectors, the last ones narrower by whole panels. kFew: so many rows, or 0 for a full tile's.
template <class Arch, class T, Walk kWalk, std::size_t NV, std::size_t kFew>
inline void panel_columns(const PanelGemm<T>& g, std::size_t row_begin, std::size_t row_end, std::size_t v,
                          std::size_t v_end) {
  const auto rows = [&](const PanelGemm<T>& column, bool is_last) {
    if constexpr (kFew > 0) {
      panel_tile<Arch, T, kWalk, kFew, NV>(column, row_begin, v);
    } else {
      panel_rows<Arch, T, kWalk, NV>(column, row_begin, row_end, v, is_last);
    }
  };
  for (; v + NV <= v_end; v += NV) {
    if (!g.skip_zeros || !adds_nothing<Arch>(g, v, NV)) {
      rows(g, v + 2 * NV > v_end);
    } else if (!g.accumulate) {
      PanelGemm<T> nothing = g;
      nothing.depth = 0;
      rows(nothing, true);
    }
  }
  if constexpr (NV > kPanelVectors<Arch, T>) {
    panel_columns<Arch, T, kWalk, NV - kPanelVectors<Arch, T>, kFew>(g, row_begin, row_end, v, v_end);
  }
}

// Vectors of a tile of so few rows: as many accumulators as a full tile has, or each multiply-add would wait for the
// one before (one row of 768 x 1000 on AVX2: 63 us in tiles of one panel, 43 in tiles of four, which is what reading W
// from L3 takes).
template <class Arch, class T>
constexpr std::size_t few_rows_vectors(std::size_t rows) {
  constexpr std::size_t kPV = kPanelVectors<Arch, T>, kNV = Arch::kPanelTileVectors;
  const std::size_t panels = Arch::panel_rows(kNV) * kNV / (rows * kPV);
  return panels <= 1 ? kNV : smaller(panels, 4) * kPV;
}

// Rows [begin, end) in tiles that suit their number.
template <class Arch, class T, Walk kWalk, std::size_t kFew = Arch::panel_rows(Arch::kPanelTileVectors) - 1>
inline void panel_tiles(const PanelGemm<T>& g, std::size_t begin, std::size_t end, std::size_t v, std::size_t v_end) {
  if constexpr (kFew > 0) {
    constexpr std::size_t kWide = few_rows_vectors<Arch, T>(kFew);
    if (end - begin == kFew) return panel_columns<Arch, T, kWalk, kWide, kFew>(g, begin, end, v, v_end);
    panel_tiles<Arch, T, kWalk, kFew - 1>(g, begin, end, v, v_end);
  } else {
    panel_columns<Arch, T, kWalk, Arch::kPanelTileVectors, 0>(g, begin, end, v, v_end);
  }
}

// Copies A(i, k), i < width, k < depth, to strip[k][i]. Asks for what the next strip's columns will copy.
template <class Arch, class T>
inline void copy_strip(const T* a, std::size_t i_stride, std::size_t k_stride, std::size_t width, std::size_t depth,
                       T* strip) {
  constexpr std::size_t kCopies = kStripCopies<Arch, T>, kWidth = Arch::kStripWidth;
  for (std::size_t k = 0; k < depth; ++k, a += k_stride, strip += kWidth * kCopies) {
    if (i_stride == 1) {
      __builtin_prefetch(a + kWidth, 0, 2);  // into L2: in L1 they would push each other out
      __builtin_prefetch(a + 2 * kWidth - 1, 0, 2);
    }
    if constexpr (kCopies > 1) {
      for (std::size_t i = 0; i < width; ++i) store<Arch>(strip + i * kCopies, Vec<Arch, T>(a[i * i_stride]));
    } else if (width == kWidth && i_stride == 1) {
      __builtin_memcpy(strip, a, kWidth * sizeof(T));
    } else {
      for (std::size_t i = 0; i < width; ++i) strip[i] = a[i * i_stride];
    }
  }
}

// Loops jc over classes, pc over K and, with strips, ic over strips; rows [begin, end) of C, vectors [v, v_end). Sums
// are carried through memory from one pc to the next: the blocking does not touch the bits.
template <class Arch, class T, Walk kWalk, std::size_t kDepth, bool kStrips>
void panel_gemm(const PanelGemm<T>& whole, std::size_t begin, std::size_t end, std::size_t v, std::size_t v_end) {
  constexpr std::size_t kNC = kColumnPanels * kPanelVectors<Arch, T>;
  const std::size_t i_stride = kWalk == Walk::rows ? whole.a_stride : 1;
  const std::size_t k_stride = kWalk == Walk::rows ? 1 : whole.a_stride;
  alignas(64) T strip[kStrips ? kDepth * Arch::kStripWidth * kStripCopies<Arch, T> : 1];
  for (std::size_t jc = v; jc < v_end; jc += kNC) {
    const std::size_t jc_end = smaller(jc + kNC, v_end);
    std::size_t pc = 0;
    do {  // a K of 0 still owes its start
      PanelGemm<T> g = whole;
      g.b += pc * kPanel;
      g.depth = smaller(kDepth, whole.depth - pc);
      g.accumulate = whole.accumulate || pc > 0;
      if (pc > 0) g.start = nullptr;
      const T* a = whole.a + pc * k_stride;
      if constexpr (kStrips) {
        g.a = strip;
        g.a_stride = Arch::kStripWidth * kStripCopies<Arch, T>;
        for (std::size_t i = begin; i < end; i += Arch::kStripWidth) {
          const std::size_t width = smaller(Arch::kStripWidth, end - i);
          copy_strip<Arch>(a + i * i_stride, i_stride, k_stride, width, g.depth, static_cast<T*>(strip));
          g.c = whole.c + i * kPanel;
          panel_tiles<Arch, T, Walk::strip>(g, 0, width, jc, jc_end);
        }
      } else {
        g.a = a;
        panel_tiles<Arch, T, kWalk>(g, begin, end, jc, jc_end);
      }
      pc += g.depth;
    } while (pc < whole.depth);
  }
}

// The logits of a row alone: some panels side by side, all features at once, for W is read but once.
//
// Limit: W's way from where it is; for few classes the latency of a chain of multiply-adds, which is the order of the
// sum. Through the loops above, 784 x 16 and less would spend more time on their arguments.
template <class Arch, class T, std::size_t kPanels, std::size_t kPV = kPanelVectors<Arch, T>>
[[gnu::noinline]] void row_tile(const LogitsArgs<T>& args, const FeatureSlice<T>& slice, std::size_t panel) {
  using V = Vec<Arch, T>;
  constexpr std::size_t kL = kLanes<Arch, T>, kCount = kPanels * kPV;
  const std::size_t b_panel = slice.all * kPanel, c_panel = args.capacity * kPanel;
  const T* b = args.weights + panel * b_panel + slice.first * kPanel;
  const T* x = args.x.data;
  T* c = args.logits + panel * c_panel;
  V acc[kCount];
#pragma GCC unroll 32
  for (std::size_t j = 0; j < kCount; ++j) {
    const T* start = slice.first == 0 ? args.bias + panel * kPanel + j * kL : c + j / kPV * c_panel + j % kPV * kL;
    acc[j] = load<Arch>(start);
  }
  for (std::size_t d = 0; d < args.features; ++d, b += kPanel) {
    const V value(x[d]);
#pragma GCC unroll 32
    for (std::size_t j = 0; j < kCount; ++j) {
      acc[j] = Arch::madd(value, load_aligned<Arch>(b + j / kPV * b_panel + j % kPV * kL), acc[j]);
    }
  }
#pragma GCC unroll 32
  for (std::size_t j = 0; j < kCount; ++j) store<Arch>(c + j / kPV * c_panel + j % kPV * kL, acc[j]);
}

template <class Arch, class T, std::size_t kPanels>
inline void panel_row_logits(const LogitsArgs<T>& args, const FeatureSlice<T>& slice, std::size_t panel) {
  const std::size_t panels = panel_count(args.classes);
  for (; panel + kPanels <= panels; panel += kPanels) row_tile<Arch, T, kPanels>(args, slice, panel);
  if constexpr (kPanels > 1) panel_row_logits<Arch, T, kPanels - 1>(args, slice, panel);
}

// logits = X W' + b over one row block. A logit's order of summation is d ascending, whatever the blocking.
template <class Arch, class T, class Schedule>
void panel_logits(const LogitsArgs<T>& args) {
  const FeatureSlice<T> slice = slice_of(args);
  if (args.x.count == 1) {
    constexpr std::size_t kPanels = few_rows_vectors<Arch, T>(1) / kPanelVectors<Arch, T>;
    return panel_row_logits<Arch, T, (kPanels > 1 ? kPanels : 1)>(args, slice, 0);
  }
  PanelGemm<T> g;
  g.a = args.x.data;
  g.a_stride = args.x.stride;
  g.b = args.weights + slice.first * kPanel;
  g.b_panel = slice.all * kPanel;
  g.c = args.logits;
  g.c_panel = args.capacity * kPanel;
  g.depth = args.features;
  g.start = slice.first == 0 ? args.bias : nullptr;
  g.accumulate = slice.first > 0;
  constexpr bool kStrips = Arch::kSpreadStrips;
  constexpr std::size_t kDepth = kStrips ? strip_depth<Arch, T, Schedule>() : Schedule::kLogitDepth;
  panel_gemm<Arch, T, Walk::rows, kDepth, kStrips>(g, 0, args.x.count, 0,
                                                   panel_count(args.classes) * kPanelVectors<Arch, T>);
}

// dW (+)= dlogits' X over one row block, rows ascending.
template <class Arch, class T, class Schedule>
void panel_gradient(const GradientArgs<T>& args) {
  PanelGemm<T> g;
  g.a = args.x.data;
  g.a_stride = args.x.stride;
  g.b = args.dlogits;
  g.b_panel = args.capacity * kPanel;
  g.c = args.dweights;
  g.c_panel = args.features * kPanel;
  g.depth = args.x.count;
  g.accumulate = args.accumulate;
  g.skip_zeros = true;
  constexpr bool kStrips = Arch::kSpreadStrips || Schedule::kPacksGradient;
  constexpr std::size_t kDepth = kStrips ? strip_depth<Arch, T, Schedule>() : Schedule::kGradientDepth;
  panel_gemm<Arch, T, Walk::columns, kDepth, kStrips>(g, args.feature_begin, args.feature_end,
                                                      args.panel_begin * kPanelVectors<Arch, T>,
                                                      args.panel_end * kPanelVectors<Arch, T>);
}

}  // namespace
}  // namespace lanemax

#endif
