// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DISPATCH_KERNEL_TABLE_HPP
#define LANEMAX_ENGINE_DISPATCH_KERNEL_TABLE_HPP

#include <lanemax/isa.hpp>
#include <lanemax/views.hpp>

#include "engine/layout.hpp"

#include <cstddef>
#include <cstdint>

// What one instruction-set variant offers: a plain struct of function pointers. An entry works on one row block (or on
// a slice of one); it knows nothing of models, files, threads or allocation. Layouts: engine/layout.hpp. Buffers that
// the engine owns are 64-byte aligned; a user's rows have any alignment and nothing past a row's last feature is read.
namespace lanemax {

/// How the logits of a row block are computed. The form fixes the order of the sum over features, so it is a function
/// of (variant, D, C) only.
enum class LogitsForm : std::uint8_t {
  panel,   ///< lanes over classes; one accumulator per logit, d ascending, started from the bias
  dot,     ///< lanes over features; one vector accumulator per logit, a fixed tree, then the bias
  sample,  ///< lanes over samples; one accumulator per logit, d ascending, started from the bias (small D)
};

/// A row block: `count` rows of D contiguous features, `stride` elements apart.
template <class T>
struct RowBlock {
  const T* data = nullptr;
  std::size_t stride = 0;
  std::size_t count = 0;
};

/// A part of the features, for logits of rows that are nowhere whole: a call for each slice, features ascending, `x` at
/// the slice's first, has the bits of one call. Every slice but the last is a multiple of 16 features long.
template <class T>
struct FeatureSlice {
  std::size_t first = 0;
  std::size_t all = 0;  ///< features of `weights`
  T* sums = nullptr;    ///< kept from slice to slice, x.count * classes * 16 entries; dot form only
};

/// Rows that the next block will read, of any type: the products in the class-major layout ask for them while they
/// compute this one, spread evenly over their time.
struct ReadAhead {
  const char* data = nullptr;
  std::size_t stride = 0;  ///< bytes from row to row
  std::size_t feature_bytes = 0;
  std::size_t rows = 0;                      ///< 0: none
  const std::uint32_t* selection = nullptr;  ///< which rows; null: one after the other

  [[nodiscard]] const char* row(std::size_t i) const noexcept {
    return data + (selection == nullptr ? i : std::size_t{selection[i]}) * stride;
  }
  /// Rows [begin, end) of these.
  [[nodiscard]] ReadAhead part(std::size_t begin, std::size_t end) const noexcept {
    ReadAhead some = *this;
    some.rows = end - begin;
    if (selection != nullptr) {
      some.selection += begin;
    } else if (data != nullptr) {
      some.data += begin * stride;
    }
    return some;
  }
};

/// logits = X W' + b.
template <class T>
struct LogitsArgs {
  RowBlock<T> x;
  std::size_t features = 0;
  std::size_t classes = 0;
  const T* weights = nullptr;
  const T* bias = nullptr;
  T* logits = nullptr;
  std::size_t capacity = 0;  ///< rows the logits have room for, >= x.count; class-major: a multiple of 16
  LogitsForm form = LogitsForm::panel;
  const ReadAhead* ahead = nullptr;        ///< dot form only; null: none
  const FeatureSlice<T>* slice = nullptr;  ///< null: `features` are all (three words here instead: 12 ns a prediction)
};

/// The slice that a call is for.
template <class T>
[[nodiscard]] inline FeatureSlice<T> slice_of(const LogitsArgs<T>& args) noexcept {
  return args.slice == nullptr ? FeatureSlice<T>{0, args.features, nullptr} : *args.slice;
}

/// Turns the logits of a row block into losses and, in place, into dlogits. Rows from x.count to the next multiple of
/// 16 are computed too and hold no meaning.
template <class T>
struct LossArgs {
  T* logits = nullptr;  ///< in: logits; out: s_i (tau_i p_i - t_i), or softmax's exp() scratch if !gradient
  std::size_t capacity = 0;
  std::size_t rows = 0;
  std::size_t classes = 0;
  const std::int32_t* labels = nullptr;  ///< classes; rounded up to 16 entries, legal too; null with targets
  const T* targets = nullptr;            ///< target probabilities, laid out as logits; null with labels
  const T* weights = nullptr;            ///< s_i; rounded up to 16 entries
  T smoothing = 0;                       ///< labels only
  T* losses = nullptr;                   ///< out: loss_i without s_i; rounded up to 16 entries
  T* probabilities = nullptr;            ///< out, laid out as logits; null: not wanted
  std::size_t part_capacity = 0;         ///< the capacity of targets and probabilities
};

/// A row of panels that comes some classes at a time: what the slices before have added to its probabilities' divisor.
template <class T>
struct ClassSlice {
  std::size_t classes = 0;  ///< of the row
  T max = 0;                ///< of its logits
  T largest = 0;            ///< out: the probability of `max` in a row of the classes so far
  alignas(kAlignment) T sums[2 * kPanel] = {};
};

/// The probabilities of logits that stay as they are. Rows from x.count to the next multiple of 16 hold no meaning.
template <class T>
struct ProbabilityArgs {
  const T* logits = nullptr;
  std::size_t capacity = 0;
  std::size_t rows = 0;
  std::size_t classes = 0;
  T* probabilities = nullptr;  ///< laid out as logits
  std::size_t probability_capacity = 0;
  T* complements = nullptr;  ///< logistic only: of label 0; null: not wanted
  T* log_sums = nullptr;     ///< -log p of a row's likeliest class, rounded up to 16 entries; null: not wanted
  ClassSlice<T>* slice = nullptr;  ///< softmax, of one row: `probabilities` are without their divisor then
};

/// The classes that rows of scores name.
template <class T>
struct ChoiceArgs {
  const T* logits = nullptr;
  std::size_t capacity = 0;
  std::size_t rows = 0;
  std::size_t classes = 0;
  bool panels = false;              ///< how the logits lie: [panel][capacity][16], or [class][capacity]
  std::int32_t* chosen = nullptr;   ///< out: the first of the largest; -1 if one is NaN or +infinity
  std::uint32_t* lowest = nullptr;  ///< out: how many are -infinity
};

/// A part of dweights (+)= dlogits' X. Tiles of different parts never touch the same element.
template <class T>
struct GradientArgs {
  RowBlock<T> x;
  const T* dlogits = nullptr;
  std::size_t capacity = 0;
  std::size_t features = 0;
  std::size_t classes = 0;
  std::size_t feature_begin = 0;  ///< a multiple of 16
  std::size_t feature_end = 0;    ///< a multiple of 16, or `features`
  std::size_t panel_begin = 0;    ///< panel layout only
  std::size_t panel_end = 0;
  T* dweights = nullptr;
  bool accumulate = false;  ///< false: the old contents are not read
  ReadAhead ahead;
};

/// dbias (+)= sum of dlogits over the block's rows.
template <class T>
struct BiasGradientArgs {
  const T* dlogits = nullptr;
  std::size_t capacity = 0;
  std::size_t rows = 0;
  std::size_t classes = 0;
  T* dbias = nullptr;  ///< bias_count(classes) entries
  bool accumulate = false;
};

/// dfeatures = scale * dlogits W, one row per row of the block.
template <class T>
struct FeatureGradientArgs {
  const T* dlogits = nullptr;
  std::size_t capacity = 0;
  std::size_t rows = 0;
  std::size_t features = 0;
  std::size_t classes = 0;
  const T* weights = nullptr;
  T scale = 1;
  T* dfeatures = nullptr;
  std::size_t stride = 0;
};

/// gradient = scale * gradient + l2 * weights.
template <class T>
struct FinishArgs {
  T* gradient = nullptr;
  const T* weights = nullptr;
  std::size_t count = 0;  ///< a multiple of 16
  T scale = 1;
  T l2 = 0;
};

/// One optimiser step over `count` parameters; see Optimiser. `velocity` is null for plain gradient descent. The
/// gradient is scale * gradient + l2 * weights.
template <class T>
struct UpdateArgs {
  T* weights = nullptr;
  T* velocity = nullptr;
  const T* gradient = nullptr;
  std::size_t count = 0;  ///< a multiple of 16
  T scale = 1;
  T l2 = 0;
  T learning_rate = 0;
  T momentum = 0;
  bool nesterov = false;
  T* squares = nullptr;  ///< adam, adagrad
  // adam, whose first moment is `velocity`; decays are below 1 in T
  T second_moment_decay = 0;
  T first_correction = 1;  ///< 1 / (1 - decay^steps), with this step
  T second_correction = 1;
};

/// Converts rows of any feature type: out[r][d] = T(value - centre[d]) * factor[d], the difference in f64.
template <class T>
struct LoadArgs {
  const void* data = nullptr;
  FeatureType type = FeatureType::f32;
  std::size_t stride = 0;               ///< elements of the source
  const std::uint32_t* rows = nullptr;  ///< source row of each row of the block
  std::size_t count = 0;
  std::size_t features = 0;
  const double* centre = nullptr;  ///< null: 0
  const float* factor = nullptr;   ///< null: 1
  T* out = nullptr;
  std::size_t out_stride = 0;
};

template <class T>
struct Kernels {
  void (*load)(const LoadArgs<T>&);
  void (*logits)(const LogitsArgs<T>&);
  void (*softmax_loss)(const LossArgs<T>&);
  void (*hinge_loss)(const LossArgs<T>&);
  void (*logistic_loss)(const LossArgs<T>&);
  void (*softmax_probabilities)(const ProbabilityArgs<T>&);
  void (*logistic_probabilities)(const ProbabilityArgs<T>&);
  void (*choice)(const ChoiceArgs<T>&);
  void (*gradient)(const GradientArgs<T>&);
  void (*bias_gradient)(const BiasGradientArgs<T>&);
  void (*feature_gradient)(const FeatureGradientArgs<T>&);
  void (*add)(T* sum, const T* term, std::size_t count);  ///< sum += term; count a multiple of 16
  bool (*finish_gradient)(const FinishArgs<T>&);          ///< false if an entry is not finite
  void (*update)(const UpdateArgs<T>&);
  void (*adam)(const UpdateArgs<T>&);
  void (*adagrad)(const UpdateArgs<T>&);
  void (*exp)(const T* x, T* y,
              std::size_t count);  ///< x <= 0; the exp of the loss, cut where a result would be subnormal
  void (*log1p)(const T* x, T* y, std::size_t count);  ///< x >= 0
};

/// Constants of a variant that shape the pass. They may differ between variants, never with the machine's caches.
struct BlockSizes {
  double serial_flops = 0;  ///< a pass with less work runs on the calling thread: some tens of microseconds
};

/// What a schedule says of the pass.
struct PassSchedule {
  std::size_t logits_ahead = 0;  ///< eighths of the next block that the logits ask for; the gradient asks for the rest
  std::size_t dot_rows = 1;      ///< the dot form asks for at most one row in each tile of so many rows ...
  std::size_t dot_classes = 1;   ///< ... and classes

  [[nodiscard]] std::size_t most_ahead(std::size_t rows, std::size_t classes) const noexcept {
    return rows / dot_rows * ((classes + dot_classes - 1) / dot_classes);
  }
};

struct KernelTable {
  Isa isa = Isa::process_default;
  KernelSchedule schedule = KernelSchedule::machine_default;
  const char* name = "";
  const char* features = "";  ///< what the compiler was allowed to use, by the names of its predefined macros
  BlockSizes blocks;
  PassSchedule pass;
  LogitsForm (*form_f32)(std::size_t features, std::size_t classes);
  LogitsForm (*form_f64)(std::size_t features, std::size_t classes);
  Kernels<float> f32;
  Kernels<double> f64;
};

/// What a variant exports: its kernels in every schedule.
struct ScheduledKernels {
  KernelTable tables[kKernelSchedules];
  [[nodiscard]] const KernelTable& operator[](KernelSchedule schedule) const noexcept {
    return tables[static_cast<std::size_t>(schedule) - 1];
  }
};

template <class T>
[[nodiscard]] inline const Kernels<T>& kernels(const KernelTable& table) noexcept {
  if constexpr (sizeof(T) == sizeof(float)) {
    return table.f32;
  } else {
    return table.f64;
  }
}
template <class T>
[[nodiscard]] inline LogitsForm logits_form(const KernelTable& table, std::size_t features,
                                            std::size_t classes) noexcept {
  return (sizeof(T) == sizeof(float) ? table.form_f32 : table.form_f64)(features, classes);
}

}  // namespace lanemax

#endif
