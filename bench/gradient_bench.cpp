// SPDX-License-Identifier: BSD-3-Clause
//
// Step 3, dW = dlogits' X: the kernel over row blocks in the pass's order and slots (which are not joined), asking for
// all of the next block (in the pass, logits of few classes may ask for some); dlogits of the blocks in flight are
// near, as in the pass. More threads than one: slots or tiles are handed out as in the pass. Peers: one product of all
// rows.
#include "bench/pass_case.hpp"
#include "bench/peers/products.hpp"
#include "engine/parallel.hpp"

#include <algorithm>
#include <cmath>

namespace lanemax::bench {
namespace {

class KernelCase : public Case {
 public:
  KernelCase(const KernelTable& table, const Shape& shape, int threads)
      : table_(table),
        threads_(threads),
        problem_(problem_of(shape)),
        plan_(make_plan<float>(shape.rows, shape.features, shape.classes)),
        dlogits_(logit_count(plan_.capacity, shape.classes)),
        gradient_(plan_.slots * plan_.parameters()) {
    plan_.cut_tiles(static_cast<std::size_t>(threads));
    for (std::size_t i = 0; i < plan_.capacity; ++i) {
      for (std::size_t c = 0; c < shape.classes; ++c) {
        dlogits_[logit_index(plan_.capacity, shape.classes, i, c)] = made_up_dlogit(c, i % plan_.block_rows);
      }
    }
  }

  [[nodiscard]] Work work() const override { return work_of(problem_->shape, 1); }

  std::string check() override {
    std::fill_n(gradient_.data(), gradient_.size(), NAN);
    run();
    const Shape& shape = problem_->shape;
    return check_product_gradient(
        *problem_, [&](std::size_t c, std::size_t n) { return made_up_dlogit(c, n % plan_.block_rows); },
        [&](std::size_t c, std::size_t d) {
          const std::size_t index = weight_index(shape.features, shape.classes, c, d);
          double sum = 0;
          for (std::size_t slot = 0; slot < plan_.slots; ++slot) {
            sum += static_cast<double>(gradient_[slot * plan_.parameters() + index]);
          }
          return static_cast<float>(sum);
        });
  }

  void run() override {
    parallel(threads_, [&](const Team& team) { plan_.slots > 1 ? by_slot(team) : by_tile(team); });
  }

 private:
  void add_part(const RowBlock<float>& x, GradientArgs<float> part) const {
    part.x = x;
    part.dlogits = dlogits_.data();
    part.capacity = plan_.capacity;
    part.features = plan_.features;
    part.classes = plan_.classes;
    table_.f32.gradient(part);
  }

  void by_slot(const Team& team) const {
    team.for_each(plan_.slots, [&](std::size_t slot) {
      const std::size_t begin = plan_.slot_begin(slot), end = plan_.slot_begin(slot + 1);
      for (std::size_t index = begin; index < end; ++index) {
        GradientArgs<float> all;
        all.feature_end = plan_.features;
        all.panel_end = panel_count(plan_.classes);
        if (index + 1 < plan_.blocks) {
          const RowBlock<float> next = block_of(*problem_, plan_, index + 1);
          all.ahead = {reinterpret_cast<const char*>(next.data), next.stride * sizeof(float), sizeof(float),
                       next.count};
        }
        all.dweights = gradient_.data() + slot * plan_.parameters();
        all.accumulate = index > begin;
        add_part(block_of(*problem_, plan_, index), all);
      }
    });
  }

  void by_tile(const Team& team) const {
    for (std::size_t first = 0; first < plan_.blocks; first += plan_.group_blocks) {
      const std::size_t count = std::min(plan_.group_blocks, plan_.blocks - first);
      team.for_each(plan_.tiles(), [&](std::size_t index) {
        const PassPlan::Tile tile = plan_.tile_at(index);
        GradientArgs<float> part;
        part.feature_begin = tile.feature_begin;
        part.feature_end = tile.feature_end;
        part.panel_begin = tile.panel_begin;
        part.panel_end = tile.panel_end;
        part.dweights = gradient_.data();
        part.accumulate = first > 0;
        RowBlock<float> x = block_of(*problem_, plan_, first);
        x.count = std::min(count * plan_.block_rows, plan_.rows - first * plan_.block_rows);
        add_part(x, part);
      });
    }
  }

  const KernelTable& table_;
  int threads_;
  std::shared_ptr<const Problem> problem_;
  PassPlan plan_;
  Buffer<float> dlogits_;
  Buffer<float> gradient_;
};

}  // namespace

void add_gradient() {
  for (const Shape& shape : product_shapes()) {
    for (const Variant& v : variants()) {
      for (const int threads : settings().threads) {
        add_case({"gradient", v.name, shape.text(), threads, v.isa, "openmp"},
                 [&v, shape, threads] { return std::make_unique<KernelCase>(*v.table, shape, threads); });
      }
    }
    add_peers("gradient", shape, PeerSteps::Part::gradient);
  }
}

}  // namespace lanemax::bench
