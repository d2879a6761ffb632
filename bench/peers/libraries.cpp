// SPDX-License-Identifier: BSD-3-Clause
//
// OpenBLAS, MKL and oneDNN, as many versions of each as there are: loaded, not linked, so that their symbols do not
// meet.
#include "bench/peers/libraries.hpp"

#include "bench/support.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <list>
#include <string>

namespace lanemax::bench {
namespace {

const char* kept(const std::string& text) {
  static std::list<std::string> texts;
  return texts.emplace_back(text).c_str();
}

/// The file in the peers' directory, or in a folder of it, whose name begins like this; the last one by name.
std::string find_file(const std::string& beginning) {
  std::string found;
  std::error_code error;
  const auto options = std::filesystem::directory_options::skip_permission_denied;
  for (std::filesystem::recursive_directory_iterator it(settings().peer_directory, options, error), end;
       !error && it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with(beginning)) found = std::max(found, it->path().string());
  }
  return found;
}

class Library {
 public:
  explicit Library(const std::string& path) {
    if (path.empty()) return;
    handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) problem_ = dlerror();
  }
  /// False if there is no such function.
  template <class F>
  bool get(const std::string& name, F*& function) {
    function = handle_ == nullptr ? nullptr : reinterpret_cast<F*>(dlsym(handle_, name.c_str()));
    if (function == nullptr && problem_.empty()) problem_ = handle_ == nullptr ? "not found" : "it has no " + name;
    return function != nullptr;
  }
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  void* handle_ = nullptr;
  std::string problem_;
};

// ---- CBLAS: OpenBLAS, MKL ----

using CblasSgemm = void(int order, int ta, int tb, int m, int n, int k, float alpha, const float* a, int lda,
                        const float* b, int ldb, float beta, float* c, int ldc);
using CblasSgemv = void(int order, int t, int m, int n, float alpha, const float* a, int lda, const float* x, int incx,
                        float beta, float* y, int incy);

/// A peer's functions have no place for a library's addresses: one type for each library.
template <int kLibrary>
struct Cblas {
  static constexpr int kRowMajor = 101, kPlain = 111, kTransposed = 112;
  static inline CblasSgemm* sgemm = nullptr;
  static inline CblasSgemv* sgemv = nullptr;

  static void multiply(std::size_t m, std::size_t n, std::size_t k, const GemmPeer::Matrix& a,
                       const GemmPeer::Matrix& b, float* c, std::size_t ldc) {
    const auto size = [](std::size_t count) { return static_cast<int>(count); };
    const auto op = [](bool transposed) { return transposed ? kTransposed : kPlain; };
    sgemm(kRowMajor, op(a.transposed), op(b.transposed), size(m), size(n), size(k), 1.0f, a.data, size(a.ld), b.data,
          size(b.ld), 0.0f, c, size(ldc));
  }
  static void multiply_vector(std::size_t rows, std::size_t cols, const float* a, const float* x, float* y) {
    sgemv(kRowMajor, kPlain, static_cast<int>(rows), static_cast<int>(cols), 1.0f, a, static_cast<int>(cols), x, 1,
          0.0f, y, 1);
  }
  static bool load(Library& library, const std::string& prefix) {
    return library.get(prefix + "cblas_sgemm", sgemm) && library.get(prefix + "cblas_sgemv", sgemv);
  }
};

template <int kLibrary>
std::string add_openblas(Peers& peers, const char* name, const std::string& path, const std::string& prefix) {
  using Calls = Cblas<kLibrary>;
  Library library(path);
  char* (*config)() = nullptr;
  char* (*core)() = nullptr;
  int (*parallel)() = nullptr;
  void (*set_threads)(int) = nullptr;
  if (!Calls::load(library, prefix) || !library.get(prefix + "openblas_get_config", config) ||
      !library.get(prefix + "openblas_get_corename", core) ||
      !library.get(prefix + "openblas_get_parallel", parallel) ||
      !library.get(prefix + "openblas_set_num_threads", set_threads)) {
    return library.problem();
  }
  peers.gemm.push_back({name, kept(std::string(config()) + ", core " + core()), parallel() == 2 ? "openmp" : name,
                        set_threads, Calls::multiply, Calls::multiply_vector});
  return {};
}

struct Mkl {
  static constexpr int kLibrary = 100, kGnuThreads = 3;
  static inline void (*vector_exp)(int count, const float* x, float* y) = nullptr;
  static inline void (*vector_log1p)(int count, const float* x, float* y) = nullptr;
  static inline void (*set_threads)(int threads) = nullptr;

  static void exp(const float* x, float* y, std::size_t count) { vector_exp(static_cast<int>(count), x, y); }
  static void log1p(const float* x, float* y, std::size_t count) { vector_log1p(static_cast<int>(count), x, y); }
  static void use_one_thread() { set_threads(1); }

  static std::string add(Peers& peers) {
    // It ends the process if its own parts are missing.
    if (find_file("libmkl_gnu_thread.so").empty() || find_file("libmkl_core.so").empty()) return "not found";
    static_cast<void>(dlopen("libgomp.so.1", RTLD_NOW | RTLD_GLOBAL));  // which its threads take for granted
    Library library(find_file("libmkl_rt.so"));
    int (*set_layer)(int) = nullptr;
    void (*get_version)(char*, int) = nullptr;
    using Calls = Cblas<kLibrary>;
    if (!Calls::load(library, "") || !library.get("MKL_Set_Threading_Layer", set_layer) ||
        !library.get("MKL_Get_Version_String", get_version) || !library.get("MKL_Set_Num_Threads", set_threads) ||
        !library.get("vsExp", vector_exp) || !library.get("vsLog1p", vector_log1p)) {
      return library.problem();
    }
    set_layer(kGnuThreads);
    char version[200] = "";
    get_version(version, sizeof(version) - 1);
    peers.gemm.push_back({"mkl", kept(version), "openmp", set_threads, Calls::multiply, Calls::multiply_vector});
    peers.functions.push_back({"mkl", kept(version), use_one_thread, nullptr, exp, log1p});
    return {};
  }
};

// ---- oneDNN ----

template <int kLibrary>
struct Onednn {
  struct Version {
    int major, minor, patch;
  };
  using Dim = std::int64_t;
  static inline int (*sgemm)(char ta, char tb, Dim m, Dim n, Dim k, float alpha, const float* a, Dim lda,
                             const float* b, Dim ldb, float beta, float* c, Dim ldc) = nullptr;

  static void multiply(std::size_t m, std::size_t n, std::size_t k, const GemmPeer::Matrix& a,
                       const GemmPeer::Matrix& b, float* c, std::size_t ldc) {
    const auto size = [](std::size_t count) { return static_cast<Dim>(count); };
    const auto op = [](bool transposed) { return transposed ? 'T' : 'N'; };
    const int status = sgemm(op(a.transposed), op(b.transposed), size(m), size(n), size(k), 1.0f, a.data, size(a.ld),
                             b.data, size(b.ld), 0.0f, c, size(ldc));
    static_cast<void>(status);  // a product that was not made fails the check
  }
  static void multiply_vector(std::size_t rows, std::size_t cols, const float* a, const float* x, float* y) {
    multiply(1, rows, cols, {x, cols, false}, {a, cols, true}, y, rows);
  }

  static std::string add(Peers& peers, const char* name, const std::string& path) {
    Library library(path);
    const Version* (*get_version)() = nullptr;
    void (*set_threads)(int) = nullptr;  // of the OpenMP run time it was linked with; it has no call of its own
    if (!library.get("dnnl_sgemm", sgemm) || !library.get("dnnl_version", get_version) ||
        !library.get("omp_set_num_threads", set_threads)) {
      return library.problem();
    }
    const Version& v = *get_version();
    const std::string version = std::to_string(v.major) + "." + std::to_string(v.minor) + "." + std::to_string(v.patch);
    peers.gemm.push_back({name, kept(version), "openmp", set_threads, multiply, multiply_vector});
    return {};
  }
};

}  // namespace

void add_loaded_libraries(Peers& peers) {
  const auto note = [&](const std::string& name, const std::string& problem, const std::string& place) {
    if (!problem.empty()) peers.skipped.push_back(name + ": " + problem + " " + place);
  };
  const std::string from_system = "when the build was configured", from_directory = "in " + settings().peer_directory;
  note("openblas", add_openblas<0>(peers, "openblas", LANEMAX_BENCH_OPENBLAS, ""), from_system);
  note("openblas_new", add_openblas<1>(peers, "openblas_new", find_file("libscipy_openblas"), "scipy_"),
       from_directory);
  note("onednn", Onednn<0>::add(peers, "onednn", LANEMAX_BENCH_ONEDNN), from_system);
  note("onednn_new", Onednn<1>::add(peers, "onednn_new", find_file("libdnnl.so")), from_directory);
  // Last: it makes its symbols known to whatever is loaded after it.
  note("mkl", Mkl::add(peers), from_directory);
}

}  // namespace lanemax::bench
