// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/published_fits.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

namespace lanemax::cli {
namespace {

constexpr const char* kPrinceton = "Princeton WWS 509";
constexpr const char* kCourse = "course notes";
constexpr const char* kUcla = "UCLA, multinomial logit example";
constexpr const char* kStata = "Spector and Mazzeo; Stata, statsmodels";
constexpr const char* kScikit = "scikit-learn, newton-cg";
constexpr const char* kXiao = "Xiao et al. 2017";

double number_of(std::string_view text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Half a unit of the text's last digit.
double half_a_digit(std::string_view text) {
  const std::size_t exponent_at = text.find_first_of("eE");
  const std::string_view digits = text.substr(0, exponent_at);
  const std::size_t point = digits.find('.');
  const int places = point == std::string_view::npos ? 0 : static_cast<int>(digits.size() - point - 1);
  const int exponent =
      exponent_at == std::string_view::npos ? 0 : static_cast<int>(number_of(text.substr(exponent_at + 1)));
  return 0.5 * std::pow(10.0, exponent - places);
}

std::pair<double, double> range_of(const PublishedValue& published) {
  const std::string_view text = published.text;
  const std::size_t dots = text.find("..");
  if (dots != std::string_view::npos) return {number_of(text.substr(0, dots)), number_of(text.substr(dots + 2))};
  const double value = number_of(text);
  return {value, value};
}

}  // namespace

const std::vector<PublishedValue>& published_values() {
  static const std::vector<PublishedValue> values = {
      {"el_salvador.log_likelihood", "-2883.136389", 0, kPrinceton},
      {"el_salvador.null_log_likelihood", "-3133.4504", 0, kPrinceton},
      {"el_salvador.sterilised.age", "0.7097186", 0, kPrinceton},
      {"el_salvador.sterilised.age^2", "-0.0097327", 0, kPrinceton},
      {"el_salvador.sterilised.constant", "-12.61816", 0, kPrinceton},
      {"el_salvador.other.age", "0.2640719", 0, kPrinceton},
      {"el_salvador.other.age^2", "-0.004758", 0, kPrinceton},
      {"el_salvador.other.constant", "-4.5497975", 0, kPrinceton},
      {"spector.log_likelihood", "-12.8896334653335", 0, kStata},
      {"spector.gpa", "2.82611297201", 0, kStata},
      // In extended precision these two are 0.0951576702558981 and 2.3786877283557288: the printed ones are of
      // iterations that stopped just before.
      {"spector.tuce", "0.0951576702557", 1e-11, kStata},
      {"spector.psi", "2.37868772835", 1e-11, kStata},
      {"spector.constant", "-13.0213483201", 0, kStata},
      {"spector.predicted_0_of_0", "18", 0, kStata},
      {"spector.predicted_1_of_0", "3", 0, kStata},
      {"spector.predicted_0_of_1", "3", 0, kStata},
      {"spector.predicted_1_of_1", "8", 0, kStata},
      {"scores_1.softmax_loss", "0.0009176050", 0, kCourse},
      {"scores_2.softmax_loss", "0.5514447139", 0, kCourse},
      {"scores_3.softmax_loss", "3.38e-48", 0, kCourse},
      {"scores_1.softmax_loss_log10", "0.0003985", 0, kCourse},
      {"scores_2.softmax_loss_log10", "0.2394894", 0, kCourse},
      {"scores_3.softmax_loss_log10", "0.0", 0, kCourse},
      {"scores_1.hinge_loss", "0", 0, kCourse},
      {"scores_2.hinge_loss", "0", 0, kCourse},
      {"scores_3.hinge_loss", "0", 0, kCourse},
      {"zero_weights.exp_loss.3_classes", "3", 1e-15, "definition"},
      {"zero_weights.exp_loss.10_classes", "10", 1e-15, "definition"},
      {"hsbdemo.log_likelihood", "-179.9817262151", 0, kUcla},
      {"hsbdemo.deviance", "359.9634524", 0, kUcla},
      {"hsbdemo.general.constant", "2.85218624", 0, kUcla},
      {"hsbdemo.general.ses_middle", "-0.53329101", 0, kUcla},
      {"hsbdemo.general.ses_high", "-1.16283200", 0, kUcla},
      {"hsbdemo.general.write", "-0.05792841", 0, kUcla},
      {"hsbdemo.vocation.constant", "5.21820016", 0, kUcla},
      {"hsbdemo.vocation.ses_middle", "0.29139312", 0, kUcla},
      {"hsbdemo.vocation.ses_high", "-0.98267033", 0, kUcla},
      {"hsbdemo.vocation.write", "-0.11360264", 0, kUcla},
      {"iris.sum_objective.f64_features", "28.904084402907944", 1e-9, "scikit-learn's example on UCI's rows"},
      {"iris.sum_objective.f32_features", "28.904084408679903", 1e-9, "scikit-learn's example on UCI's rows"},
      {"iris.correct", "146", 0, "scikit-learn's example"},
      {"iris.scikit_rows.sum_objective", "28.886316604092503", 1e-9, "scikit-learn's example"},
      {"iris.scikit_rows.probability_0", "0.98158349", 0, "scikit-learn's example"},
      {"iris.scikit_rows.probability_1", "0.01841649", 0, "scikit-learn's example"},
      {"iris.scikit_rows.probability_2", "1.449867e-08", 0, "scikit-learn's example"},
      {"iris.objective", "0.19269389605786602", 1e-9, kScikit},
      {"iris.objective.standard", "0.20936028359287717", 1e-9, kScikit},
      {"letter.objective", "0.8324402718399907", 1e-9, kScikit},
      {"letter.objective.standard", "0.8533142239917204", 1e-9, kScikit},
      {"pendigits.objective", "0.13937680548510983", 1e-9, kScikit},
      {"pendigits.objective.standard", "0.18501868278049902", 1e-9, kScikit},
      {"segment.objective.standard", "0.2168408884565147", 1e-9, kScikit},
      {"glass.objective.standard", "0.8164598043127657", 1e-9, kScikit},
      {"mfeat-pixel.objective", "0.0057971241739591586", 1e-9, kScikit},
      {"mfeat-pixel.objective.standard", "0.020277216812685316", 1e-9, kScikit},
      {"waveform.objective", "0.2888671319912339", 1e-9, kScikit},
      {"waveform.objective.standard", "0.28957568731219907", 1e-9, kScikit},
      {"mnist.test_accuracy", "0.917..0.926", 0, "softmax regression, many"},
      // The solver that printed it stopped 6e-9 above the optimum.
      {"fashion_mnist.objective", "0.34989281", 1e-7, kScikit},
      {"fashion_mnist.test_accuracy", "0.839..0.846", 0, kXiao},
  };
  return values;
}

double difference(const PublishedValue& published, double ours) {
  const auto [low, high] = range_of(published);
  return ours < low ? ours - low : ours > high ? ours - high : low == high ? ours - low : 0;
}

bool holds(const PublishedValue& published, double ours) {
  const auto [low, high] = range_of(published);
  const bool is_range = low != high;
  double allowed = 0;
  if (published.tolerance > 0) {
    allowed = published.tolerance * std::max(std::abs(low), std::abs(high));
  } else if (!is_range) {
    allowed = half_a_digit(published.text) * (1 + 1e-9);
  }
  return std::abs(difference(published, ours)) <= allowed;
}

}  // namespace lanemax::cli
