// SPDX-License-Identifier: BSD-3-Clause
//
// Step 3, dW = dlogits' X: the kernel over row blocks in the pass's order and slots (which are not joined), with its
// prefetch; dlogits of the blocks in flight are near, as in the pass. Peers: one product of all rows. One thread for
// the kernels, which know of no others.
#include "bench/peers/products.hpp"
#include "bench/support.hpp"
#include "engine/pass.hpp"

#include <algorithm>
#include <cmath>

namespace lanemax::bench {
namespace {

Work work_of(const Shape& shape) {
  return {shape.flops_per_product(), shape.feature_bytes(), shape.feature_bytes(), static_cast<double>(shape.rows)};
}

class KernelCase : public Case {
 public:
  KernelCase(const KernelTable& table, const Shape& shape)
      : table_(table),
        problem_(problem_of(shape)),
        plan_(make_plan<float>(shape.rows, shape.features, shape.classes)),
        in_flight_(plan_.slots > 1 ? 1 : plan_.group_blocks),
        block_logits_(logit_count(plan_.block_rows, shape.classes)),
        dlogits_(in_flight_ * block_logits_),
        gradient_(plan_.slots * plan_.parameters()) {
    for (std::size_t place = 0; place < in_flight_; ++place) {
      for (std::size_t i = 0; i < plan_.block_rows; ++i) {
        for (std::size_t c = 0; c < shape.classes; ++c) {
          dlogits_[place * block_logits_ + logit_index(plan_.block_rows, shape.classes, i, c)] = dlogit(c, i);
        }
      }
    }
  }

  [[nodiscard]] Work work() const override { return work_of(problem_->shape); }

  std::string check() override {
    std::fill_n(gradient_.data(), gradient_.size(), NAN);
    run();
    const Shape& shape = problem_->shape;
    return check_product_gradient(
        *problem_, [&](std::size_t c, std::size_t n) { return dlogit(c, n % plan_.block_rows); },
        [&](std::size_t c, std::size_t d) {
          const std::size_t index = weight_index(shape.features, shape.classes, c, d);
          double sum = 0;
          for (std::size_t slot = 0; slot < plan_.slots; ++slot) {
            sum += static_cast<double>(gradient_[slot * plan_.parameters() + index]);
          }
          return static_cast<float>(sum);
        });
  }

  void run() override { plan_.slots > 1 ? by_slot() : by_tile(); }

 private:
  [[nodiscard]] static float dlogit(std::size_t c, std::size_t i) {
    return static_cast<float>(static_cast<std::int32_t>(random_at(c * 4096 + i, 6))) * 0x1p-31f;
  }

  [[nodiscard]] RowBlock<float> block(std::size_t index) const {
    const Shape& shape = problem_->shape;
    const std::size_t first = index * plan_.block_rows;
    return {problem_->x.data() + first * shape.features, shape.features,
            std::min(plan_.block_rows, shape.rows - first)};
  }

  void add_part(std::size_t index, std::size_t place, GradientArgs<float> part) {
    part.x = block(index);
    part.dlogits = dlogits_.data() + place * block_logits_;
    part.capacity = plan_.block_rows;
    part.features = plan_.features;
    part.classes = plan_.classes;
    table_.f32.gradient(part);
  }

  void by_slot() {
    for (std::size_t slot = 0; slot < plan_.slots; ++slot) {
      const std::size_t begin = plan_.slot_begin(slot), end = plan_.slot_begin(slot + 1);
      for (std::size_t index = begin; index < end; ++index) {
        GradientArgs<float> all;
        all.feature_end = plan_.features;
        all.panel_end = panel_count(plan_.classes);
        if (index + 1 < plan_.blocks) all.prefetch = block(index + 1);
        all.dweights = gradient_.data() + slot * plan_.parameters();
        all.accumulate = index > begin;
        add_part(index, 0, all);
      }
    }
  }

  void by_tile() {
    const std::size_t panels = is_class_major(plan_.classes) ? 1 : panel_count(plan_.classes);
    for (std::size_t first = 0; first < plan_.blocks; first += plan_.group_blocks) {
      const std::size_t count = std::min(plan_.group_blocks, plan_.blocks - first);
      for (std::size_t panel = 0; panel < panels; panel += plan_.tile_panels) {
        for (std::size_t d = 0; d < plan_.features; d += plan_.tile_features) {
          GradientArgs<float> part;
          part.feature_begin = d;
          part.feature_end = std::min(d + plan_.tile_features, plan_.features);
          part.panel_begin = panel;
          part.panel_end = std::min(panel + plan_.tile_panels, panels);
          part.dweights = gradient_.data();
          for (std::size_t place = 0; place < count; ++place) {
            part.accumulate = first + place > 0;
            add_part(first + place, place, part);
          }
        }
      }
    }
  }

  const KernelTable& table_;
  std::shared_ptr<const Problem> problem_;
  PassPlan plan_;
  std::size_t in_flight_;
  std::size_t block_logits_;
  AlignedArray<float> dlogits_;
  AlignedArray<float> gradient_;
};

class PeerCase : public Case {
 public:
  PeerCase(const GemmPeer& peer, int threads, bool dxc, const Shape& shape)
      : steps_(peer, threads, dxc, problem_of(shape)) {
    steps_.fill_dlogits(dlogit);
  }

  [[nodiscard]] Work work() const override { return work_of(steps_.problem().shape); }
  void prepare() override { steps_.use(); }
  void run() override { steps_.gradient(); }
  std::string check() override {
    run();
    return check_product_gradient(steps_.problem(), dlogit,
                                  [&](std::size_t c, std::size_t d) { return steps_.dweight_at(c, d); });
  }

 private:
  [[nodiscard]] static float dlogit(std::size_t c, std::size_t n) {
    return static_cast<float>(static_cast<std::int32_t>(random_at(c * 4096 + n, 6))) * 0x1p-31f;
  }
  PeerSteps steps_;
};

}  // namespace

void add_gradient() {
  for (const Shape& shape : product_shapes()) {
    for (const Variant& v : variants()) {
      add_case({"gradient", v.name, shape.text(), 1, v.isa, ""},
               [&v, shape] { return std::make_unique<KernelCase>(*v.table, shape); });
    }
    for_each_peer([&](const GemmPeer& peer, bool dxc, const std::string& name) {
      for (const int threads : settings().threads) {
        add_case({"gradient", name, shape.text(), threads, variants().front().isa, peer.pool},
                 [&peer, threads, dxc, shape] { return std::make_unique<PeerCase>(peer, threads, dxc, shape); });
      }
    });
  }
}

}  // namespace lanemax::bench
