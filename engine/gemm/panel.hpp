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
// in registers for the whole K block. X is never copied as a whole.
//
// Limit: the multiply-add units. Loads per k step are MR + NV against MR * NV multiply-adds. What stands in the way is
// the gradient's walk down the columns of X: rows lie a multiple of a page apart as often as not, so that a column
// falls in a few sets of L1, and no prefetcher follows it. Tiles of 4 vectors of 64 bytes give each line time to
// arrive, if it was asked for some features earlier (4096 x 768 x 1000: 82 % of peak without, 93 % with). Narrower
// tiles do not; their variants copy strips of kStrip features of a block to a place in L1 (AVX2, D = 2048: 66 % of peak
// without, 85 % with; prefetching 8 to 16 rows ahead instead: 46 %).

enum class Product { logits, gradient };

inline constexpr std::size_t kPrefetchFeatures = 32;
inline constexpr std::size_t kStrip = 24;       // features: a multiple of most tiles' MR
inline constexpr std::size_t kStripRows = 192;  // 18 KB in f32: beside a panel of B in L1

template <class T>
struct PanelGemm {
  const T* a = nullptr;      // A(0, 0)
  std::size_t a_stride = 0;  // logits: elements from one row of X to the next; gradient: from one k to the next
  const T* b = nullptr;      // first panel, row k = 0
  std::size_t b_panel = 0;   // elements from one panel of B to the next
  T* c = nullptr;            // first panel, row i = 0
  std::size_t c_panel = 0;
  std::size_t depth = 0;     // K of this block
  const T* start = nullptr;  // start accumulators from this bias, [panel][16] ...
  bool accumulate = false;   // ... or from C, or from 0
};

// One MR x NV register tile at row i, vector column v0 (in vectors from the first panel).
template <class Arch, class T, Product kProduct, std::size_t MR, std::size_t NV>
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

  constexpr bool kRows = kProduct == Product::logits;
  const std::size_t stride = g.a_stride;
  const T* a = kRows ? g.a + i * stride : g.a + i;
  const std::size_t b_panel = g.b_panel;
  for (std::size_t k = 0; k < g.depth; ++k) {
    if constexpr (!kRows && !Arch::kCopyStrips) __builtin_prefetch(a + kPrefetchFeatures);
    V bv[NV];
#pragma GCC unroll 32
    for (std::size_t j = 0; j < NV; ++j) bv[j] = load_aligned<Arch>(b + offset(j, b_panel));
#pragma GCC unroll 32
    for (std::size_t m = 0; m < MR; ++m) {
      const V av(kRows ? a[m * stride] : a[m]);
#pragma GCC unroll 32
      for (std::size_t j = 0; j < NV; ++j) acc[m][j] = Arch::madd(av, bv[j], acc[m][j]);
    }
    b += kPanel;
    a += kRows ? 1 : stride;
  }

#pragma GCC unroll 32
  for (std::size_t m = 0; m < MR; ++m) {
#pragma GCC unroll 32
    for (std::size_t j = 0; j < NV; ++j) store<Arch>(c + m * kPanel + offset(j, g.c_panel), acc[m][j]);
  }
}

// Loop ir: all rows i of one column of tiles. Full tiles, then 4, 2, 1 rows; the tile's size does not touch the bits.
template <class Arch, class T, Product kProduct, std::size_t NV>
inline void panel_rows(const PanelGemm<T>& g, std::size_t begin, std::size_t end, std::size_t v) {
  constexpr std::size_t MR = Arch::panel_rows(NV);
  std::size_t i = begin;
  for (; i + MR <= end; i += MR) panel_tile<Arch, T, kProduct, MR, NV>(g, i, v);
  if constexpr (MR > 4) {
    for (; i + 4 <= end; i += 4) panel_tile<Arch, T, kProduct, 4, NV>(g, i, v);
  }
  if constexpr (MR > 2) {
    for (; i + 2 <= end; i += 2) panel_tile<Arch, T, kProduct, 2, NV>(g, i, v);
  }
  for (; i < end; ++i) panel_tile<Arch, T, kProduct, 1, NV>(g, i, v);
}

// Loop jr: columns of NV vectors, the last ones narrower by whole panels.
template <class Arch, class T, Product kProduct, std::size_t NV = Arch::kPanelTileVectors>
inline void panel_columns(const PanelGemm<T>& g, std::size_t row_begin, std::size_t row_end, std::size_t v,
                          std::size_t v_end) {
  for (; v + NV <= v_end; v += NV) panel_rows<Arch, T, kProduct, NV>(g, row_begin, row_end, v);
  if constexpr (NV > kPanelVectors<Arch, T>) {
    panel_columns<Arch, T, kProduct, NV - kPanelVectors<Arch, T>>(g, row_begin, row_end, v, v_end);
  }
}

// logits = X W' + b over one row block: loop pc over features, then jr over classes, then ir over rows. The partial
// sums of a logit are carried through memory from one K block to the next, so its order of summation is d ascending
// whatever KC.
template <class Arch, class T>
void panel_logits(const LogitsArgs<T>& args) {
  const std::size_t panels = panel_count(args.classes);
  for (std::size_t pc = 0; pc < args.features; pc += Arch::kKC) {
    PanelGemm<T> g;
    g.a = args.x.data + pc;
    g.a_stride = args.x.stride;
    g.b = args.weights + pc * kPanel;
    g.b_panel = args.features * kPanel;
    g.c = args.logits;
    g.c_panel = args.capacity * kPanel;
    g.depth = smaller(Arch::kKC, args.features - pc);
    g.start = pc == 0 ? args.bias : nullptr;
    g.accumulate = true;
    panel_columns<Arch, T, Product::logits>(g, 0, args.x.count, 0, panels * kPanelVectors<Arch, T>);
  }
}

// Copies x[k][0 .. width) to strip[k][..], and asks for the lines that the next strip will copy.
template <class T>
inline void copy_strip(const T* x, std::size_t stride, std::size_t depth, std::size_t width, T* strip) {
  for (std::size_t k = 0; k < depth; ++k, x += stride, strip += kStrip) {
    __builtin_prefetch(x + kStrip, 0, 2);  // into L2: in L1 they would push each other out
    __builtin_prefetch(x + 2 * kStrip - 1, 0, 2);
    if (width == kStrip) {
      __builtin_memcpy(strip, x, kStrip * sizeof(T));
    } else {
      for (std::size_t i = 0; i < width; ++i) strip[i] = x[i];
    }
  }
}

// dW (+)= dlogits' X over one row block. Loop jr over classes, then ir over features; K is the rows of the block,
// ascending. With strips: loop pc over rows, then strips of features outside; sums are carried through memory, so the
// bits are the same.
template <class Arch, class T>
void panel_gradient(const GradientArgs<T>& args) {
  const std::size_t v_begin = args.panel_begin * kPanelVectors<Arch, T>;
  const std::size_t v_end = args.panel_end * kPanelVectors<Arch, T>;
  PanelGemm<T> g;
  g.b_panel = args.capacity * kPanel;
  g.c_panel = args.features * kPanel;
  if constexpr (!Arch::kCopyStrips) {
    g.a = args.x.data;
    g.a_stride = args.x.stride;
    g.b = args.dlogits;
    g.c = args.dweights;
    g.depth = args.x.count;
    g.accumulate = args.accumulate;
    panel_columns<Arch, T, Product::gradient>(g, args.feature_begin, args.feature_end, v_begin, v_end);
  } else {
    alignas(64) T strip[kStripRows * kStrip];
    g.a = strip;
    g.a_stride = kStrip;
    for (std::size_t pc = 0; pc == 0 || pc < args.x.count; pc += kStripRows) {  // no rows still owe a gradient of 0
      g.b = args.dlogits + pc * kPanel;
      g.depth = smaller(kStripRows, args.x.count - pc);
      g.accumulate = args.accumulate || pc > 0;
      for (std::size_t d = args.feature_begin; d < args.feature_end; d += kStrip) {
        const std::size_t width = smaller(kStrip, args.feature_end - d);
        copy_strip(args.x.data + pc * args.x.stride + d, args.x.stride, g.depth, width, static_cast<T*>(strip));
        g.c = args.dweights + d * kPanel;
        panel_columns<Arch, T, Product::gradient>(g, 0, width, v_begin, v_end);
      }
    }
  }
}

}  // namespace
}  // namespace lanemax

#endif
