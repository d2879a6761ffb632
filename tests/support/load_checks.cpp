// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/problems.hpp"

#include <bit>
#include <numeric>
#include <vector>

namespace lanemax::checks {
namespace {

/// What the bits of a small floating-point type mean, by its definition.
double decode(std::uint32_t bits, int exponent_bits, int mantissa_bits) {
  const double sign = (bits >> (exponent_bits + mantissa_bits)) != 0 ? -1 : 1;
  const auto exponent = static_cast<int>(bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const auto mantissa = static_cast<int>(bits) & ((1 << mantissa_bits) - 1);
  const int bias = (1 << (exponent_bits - 1)) - 1;
  if (exponent == (1 << exponent_bits) - 1) return mantissa != 0 ? kNaN<double> : sign * kInf<double>;
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
}

/// Equal, NaN for NaN, and the sign of a zero kept.
template <class T>
bool same_number(T got, T want) {
  return (std::isnan(got) && std::isnan(want)) || (got == want && std::signbit(got) == std::signbit(want));
}

/// Loads one row of values of one type.
template <class T, class Source>
std::vector<T> load_row(const KernelTable& table, FeatureType type, const std::vector<Source>& values,
                        const double* centre = nullptr) {
  GuardedBuffer in, out;
  Source* source = in.ending_at_guard<Source>(values.size(), Source{});
  std::copy(values.begin(), values.end(), source);
  const std::uint32_t row = 0;
  LoadArgs<T> args;
  args.data = source;
  args.type = type;
  args.stride = values.size();
  args.rows = &row;
  args.count = 1;
  args.features = values.size();
  args.centre = centre;
  args.out = out.ending_at_guard<T>(values.size(), kNaN<T>);
  args.out_stride = values.size();
  kernels<T>(table).load(args);
  return {args.out, args.out + values.size()};
}

/// The f16 bits of the whole numbers 0..255, found by decoding all of them.
const std::vector<std::uint16_t>& whole_halves() {
  static const std::vector<std::uint16_t> table = [] {
    std::vector<std::uint16_t> bits_of(256);
    for (std::uint32_t bits = 0; bits < 0x7c00; ++bits) {
      const double value = decode(bits, 5, 10);
      if (value < 256 && value == std::rint(value))
        bits_of[static_cast<std::size_t>(value)] = static_cast<std::uint16_t>(bits);
    }
    return bits_of;
  }();
  return table;
}

/// The same small whole numbers in every format.
template <class Source>
std::vector<Source> encode(const std::vector<int>& values, FeatureType type) {
  std::vector<Source> out;
  for (const int v : values) {
    if (type == FeatureType::bf16) {
      out.push_back(static_cast<Source>(std::bit_cast<std::uint32_t>(static_cast<float>(v)) >> 16));
    } else if (type == FeatureType::f16) {
      out.push_back(static_cast<Source>(whole_halves()[static_cast<std::size_t>(v)]));
    } else {
      out.push_back(static_cast<Source>(v));
    }
  }
  return out;
}

struct Scaling {
  const char* name;
  bool centre, factor, float_centres;
};
constexpr Scaling kScalings[] = {{"plain", false, false, false},      {"factor", false, true, false},
                                 {"centre", true, false, false},      {"both", true, true, false},
                                 {"float centre", true, false, true}, {"float both", true, true, true}};

// Rows gathered out of a strided matrix in one format, against the expression written down here.
template <class T, class Source>
void check_format(Judge& judge, const KernelTable& table, FeatureType type, const char* name,
                  const std::vector<int>& values, std::size_t source_rows, std::size_t features, const Scaling& scaling,
                  Rng& rng) {
  GuardedBuffer in, out, centres, factors, indices;
  const std::size_t stride = features + 3, count = 2 * source_rows + 1, out_stride = round_up(features, 16) + 16;
  const std::vector<Source> encoded = encode<Source>(values, type);
  Source* source = in.ending_at_guard<Source>((source_rows - 1) * stride + features, static_cast<Source>(91));
  for (std::size_t r = 0; r < source_rows; ++r) {
    for (std::size_t d = 0; d < features; ++d) source[r * stride + d] = encoded[r * features + d];
  }
  double* centre = centres.ending_at_guard<double>(features, 0);
  float* factor = factors.ending_at_guard<float>(features, 0);
  Rng numbers(71);  // the same for every format
  for (std::size_t d = 0; d < features; ++d) {
    centre[d] = numbers.between(0, 200);
    if (scaling.float_centres) centre[d] = static_cast<double>(static_cast<float>(centre[d]));
    factor[d] = static_cast<float>(numbers.between(0.001, 2));
  }
  auto* rows = indices.ending_at_guard<std::uint32_t>(count, 0);
  for (std::size_t i = 0; i < count; ++i) rows[i] = static_cast<std::uint32_t>(rng.below(source_rows));
  LoadArgs<T> args;
  args.data = source;
  args.type = type;
  args.stride = stride;
  args.rows = rows;
  args.count = count;
  args.features = features;
  args.centre = scaling.centre ? centre : nullptr;
  args.factor = scaling.factor ? factor : nullptr;
  args.out_stride = out_stride;
  args.out = out.ending_at_guard<T>((count - 1) * out_stride + features, kNaN<T>);
  kernels<T>(table).load(args);
  for (std::size_t i = 0; i < count; ++i) {
    const auto about = [&] { return text(name, ", ", scaling.name, ", ", features, " features: row ", i); };
    for (std::size_t d = 0; d < out_stride && (i + 1 < count || d < features); ++d) {
      const T got = args.out[i * out_stride + d];
      if (d >= features) {
        if (judge.ok() && !std::isnan(got)) judge.fail(about() + ": wrote between the rows");
        continue;
      }
      const double value = values[rows[i] * features + d];
      T want = static_cast<T>(scaling.centre ? value - centre[d] : value);
      if (scaling.factor) want = want * static_cast<T>(factor[d]);
      judge.same(got, want, [&] { return text(about(), ", feature ", d); });
    }
  }
}

}  // namespace

template <class T>
Verdict check_load_values(const KernelTable& table) {
  Judge judge;
  Rng rng(70);
  const auto expect = [&](const std::vector<T>& got, std::size_t i, T want, const char* type) {
    judge.require(same_number(got[i], want),
                  [&] { return text(type, " number ", i, ": got ", got[i], ", want ", want); });
  };
  std::vector<std::uint16_t> words(65536);
  std::iota(words.begin(), words.end(), std::uint16_t{0});
  const std::vector<T> halves = load_row<T>(table, FeatureType::f16, words);
  const std::vector<T> brains = load_row<T>(table, FeatureType::bf16, words);
  for (std::size_t i = 0; i < words.size(); ++i) {
    expect(halves, i, static_cast<T>(decode(words[i], 5, 10)), "f16");
    expect(brains, i, static_cast<T>(decode(words[i], 8, 7)), "bf16");
  }
  std::vector<std::uint8_t> bytes(256);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  const std::vector<T> from_bytes = load_row<T>(table, FeatureType::u8, bytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) expect(from_bytes, i, static_cast<T>(i), "u8");

  std::vector<float> floats;
  std::vector<double> doubles = {0x1.000001p0, 0x1.000003p0, 0x1.fffffefp127, 1e300,
                                 -1e300,       0x1p-150,     0x1.8p-150,      1e-320};
  for (int i = 0; i < 50000; ++i) floats.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(rng.bits())));
  for (int i = 0; i < 50000; ++i) doubles.push_back(rng.between(-300, 300));
  for (int i = 0; i < 50000; ++i)
    doubles.push_back(std::ldexp(rng.between(-2, 2), static_cast<int>(rng.below(300)) - 160));
  const std::vector<T> from_floats = load_row<T>(table, FeatureType::f32, floats);
  for (std::size_t i = 0; i < floats.size(); ++i) expect(from_floats, i, static_cast<T>(floats[i]), "f32");
  const std::vector<T> from_doubles = load_row<T>(table, FeatureType::f64, doubles);
  for (std::size_t i = 0; i < doubles.size(); ++i) expect(from_doubles, i, static_cast<T>(doubles[i]), "f64");
  return judge.finish(1);
}

template <class T>
Verdict check_load_rows(const KernelTable& table) {
  Judge judge;
  Rng rng(72);
  for (std::size_t features = 1; features <= 1100 && judge.ok(); features += features < 34    ? 1
                                                                             : features < 100 ? 13
                                                                                              : 409) {
    constexpr std::size_t kSourceRows = 5;
    std::vector<int> values(kSourceRows * features);
    for (int& v : values) v = static_cast<int>(rng.below(256));
    for (const Scaling& scaling : kScalings) {
      check_format<T, float>(judge, table, FeatureType::f32, "f32", values, kSourceRows, features, scaling, rng);
      check_format<T, double>(judge, table, FeatureType::f64, "f64", values, kSourceRows, features, scaling, rng);
      check_format<T, std::uint8_t>(judge, table, FeatureType::u8, "u8", values, kSourceRows, features, scaling, rng);
      check_format<T, std::uint16_t>(judge, table, FeatureType::f16, "f16", values, kSourceRows, features, scaling,
                                     rng);
      check_format<T, std::uint16_t>(judge, table, FeatureType::bf16, "bf16", values, kSourceRows, features, scaling,
                                     rng);
    }
  }
  return judge.finish(0.95);
}

// Centres of any kind, as far from the values or as close to them as numbers can be: the difference is that of f64.
template <class T>
Verdict check_load_centres(const KernelTable& table) {
  Judge judge;
  Rng rng(73);
  constexpr std::size_t kFeatures = 40007;
  std::vector<float> floats(kFeatures);
  std::vector<double> doubles(kFeatures), float_centres(kFeatures), centres(kFeatures);
  const auto any_float = [&rng] {
    float v = 0;
    do {
      v = std::bit_cast<float>(static_cast<std::uint32_t>(rng.bits()));
    } while (!std::isfinite(v));
    return v;
  };
  for (std::size_t d = 0; d < kFeatures; ++d) {
    floats[d] = any_float();
    float_centres[d] = static_cast<double>(any_float());
    if (d % 2 == 0) {  // within a few of the values' digits
      float_centres[d] = static_cast<double>(
          static_cast<float>(std::ldexp(static_cast<double>(floats[d]), static_cast<int>(rng.below(80)) - 40)));
      if (!std::isfinite(float_centres[d])) float_centres[d] = 0;
    }
    centres[d] = static_cast<double>(floats[d]) * rng.between(0.999999, 1.000001);
    doubles[d] = 1.7e9 + rng.between(-5000, 5000);
  }
  const auto compare = [&](const auto& values, FeatureType type, const std::vector<double>& centre, const char* name) {
    const std::vector<T> got = load_row<T>(table, type, values, centre.data());
    for (std::size_t d = 0; d < kFeatures; ++d) {
      const T want = static_cast<T>(static_cast<double>(values[d]) - centre[d]);
      judge.same(got[d], want, [&] { return text(name, ", feature ", d, ": ", values[d], " - ", centre[d]); });
    }
  };
  compare(floats, FeatureType::f32, float_centres, "floats, centres of all sizes");
  compare(floats, FeatureType::f32, centres, "floats, centres that are no floats");
  compare(doubles, FeatureType::f64, std::vector<double>(kFeatures, 1.7e9 + 0.37), "doubles");
  compare(doubles, FeatureType::f64, std::vector<double>(kFeatures, 1700000000.0), "doubles, a centre that is a float");
  return judge.finish(0.95);
}

template Verdict check_load_values<float>(const KernelTable&);
template Verdict check_load_values<double>(const KernelTable&);
template Verdict check_load_rows<float>(const KernelTable&);
template Verdict check_load_rows<double>(const KernelTable&);
template Verdict check_load_centres<float>(const KernelTable&);
template Verdict check_load_centres<double>(const KernelTable&);

}  // namespace lanemax::checks
