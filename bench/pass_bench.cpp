// SPDX-License-Identifier: BSD-3-Clause
//
// The fused pass: mean loss and gradient of all rows. pass_<rows>: the same from rows that are not f32 in place.
// Peers: both products and a plain softmax, one after the other.
#include "bench/pass_case.hpp"
#include "bench/peers/products.hpp"

namespace lanemax::bench {

void add_pass() {
  const auto add_engine = [](const std::string& family, const Shape& shape, Rows rows) {
    for (const Variant& v : variants()) {
      for (const int threads : settings().threads) {
        add_case({family, v.name, shape.text(), threads, v.isa, "openmp"},
                 [&v, shape, threads, rows] { return make_pass(*v.table, shape, threads, rows); });
      }
    }
  };
  for (const Shape& shape : product_shapes()) {
    add_engine("pass", shape, Rows::in_place);
    add_peers("pass", shape, PeerSteps::Part::pass);
  }
  struct Family {
    const char* name;
    Rows rows;
  };
  static constexpr Family kFamilies[] = {{"pass_u8", Rows::u8},         {"pass_f16", Rows::f16},
                                         {"pass_bf16", Rows::bf16},     {"pass_f64", Rows::f64},
                                         {"pass_scaled", Rows::scaled}, {"pass_shuffled", Rows::shuffled}};
  for (const Family& family : kFamilies) add_engine(family.name, {60000, 784, 10}, family.rows);
}

}  // namespace lanemax::bench
