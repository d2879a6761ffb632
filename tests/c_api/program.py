# SPDX-License-Identifier: BSD-3-Clause
"""lanemax from Python with nothing but ctypes: trains, saves, loads, predicts, is told what is wrong.

    python3 program.py liblanemax.so DIRECTORY
"""

import ctypes as c
import math
import sys

SOFTMAX, F32, LABELS_I32, ADAM, UNSET = 0, 0, 4, 2, -1


class Status(c.Structure):
    _fields_ = [("code", c.c_int32), ("system_error", c.c_int32), ("line", c.c_int64), ("row", c.c_int64),
                ("column", c.c_int64), ("byte", c.c_int64), ("what", c.c_char * 96), ("expected", c.c_char * 192),
                ("found", c.c_char * 64), ("file", c.c_char * 128), ("reserved", c.c_char * 248)]


class Features(c.Structure):
    _fields_ = [("data", c.c_void_p), ("samples", c.c_size_t), ("features", c.c_size_t), ("row_stride", c.c_size_t),
                ("col_stride", c.c_size_t), ("type", c.c_int32), ("reserved", c.c_int32)]


class Labels(c.Structure):
    _fields_ = [("data", c.c_void_p), ("count", c.c_size_t), ("type", c.c_int32), ("reserved", c.c_int32)]


class Matrix(c.Structure):
    _fields_ = [("data", c.c_void_p), ("rows", c.c_size_t), ("cols", c.c_size_t), ("row_stride", c.c_size_t),
                ("col_stride", c.c_size_t)]


class Batch(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("features", Features), ("labels", Labels), ("targets", Matrix),
                ("sample_weights", c.c_void_p), ("sample_weight_count", c.c_size_t), ("selection", c.c_void_p),
                ("selection_count", c.c_size_t), ("centre", c.c_void_p), ("centre_count", c.c_size_t),
                ("factor", c.c_void_p), ("factor_count", c.c_size_t)]


class Objective(c.Structure):
    _fields_ = [("l2", c.c_double), ("label_smoothing", c.c_double), ("loss", c.c_int32), ("reduction", c.c_int32),
                ("ignored_label", c.c_int32), ("reserved", c.c_int32)]


class TrainerOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("features", c.c_size_t), ("scores", c.c_size_t),
                ("batch_rows", c.c_size_t), ("objective", Objective), ("optimiser", c.c_int32), ("threads", c.c_int32),
                ("isa", c.c_int32), ("reserved", c.c_int32)]


class LossResult(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("objective", c.c_double), ("data_loss", c.c_double),
                ("total_weight", c.c_double), ("rows", c.c_size_t), ("threads", c.c_int32), ("reserved", c.c_int32)]


class Refused(Exception):
    pass


def main(library, directory):
    lib = c.CDLL(library)
    for name in ("version_string", "predictor_label", "model_class_label", "isa_name"):
        getattr(lib, "lanemax_" + name).restype = c.c_char_p
    lib.lanemax_predictor_classes.restype = lib.lanemax_status_message.restype = c.c_size_t

    def call(name, *arguments):
        status = Status()
        code = getattr(lib, "lanemax_" + name)(*arguments, c.byref(status))
        assert code == status.code
        if code != 0:
            text = c.create_string_buffer(512)
            lib.lanemax_status_message(c.byref(status), text, c.c_size_t(len(text)))
            raise Refused(text.value.decode())

    points = (c.c_float * 12)(0, 1, 1, 0, 5, 1, 6, 0, 1, 6, 0, 7)
    corners = (c.c_int32 * 6)(0, 0, 1, 1, 2, 2)
    names = (c.c_char_p * 3)(b"low", b"right", "höher".encode())
    batch = Batch(struct_size=c.sizeof(Batch))
    batch.features = Features(c.cast(points, c.c_void_p), 6, 2, 0, 0, F32)
    batch.labels = Labels(c.cast(corners, c.c_void_p), 6, LABELS_I32)
    path = (directory + "/python.safetensors").encode()

    # Fits, saves, loads, predicts.
    model, predictor = c.c_void_p(), c.c_void_p()
    call("fit", c.byref(batch), None, names, c.c_size_t(3), c.byref(model), None)
    call("model_save", model, path)
    call("predictor_load", path, 0, c.byref(predictor))
    assert lib.lanemax_predictor_classes(predictor) == 3
    sample, p = (c.c_float * 2)(1, 8), (c.c_float * 3)()
    chosen = lib.lanemax_predict_probabilities(predictor, sample, F32, c.c_size_t(2), None, c.c_size_t(0), p,
                                               c.c_size_t(3))
    assert chosen == 2 and lib.lanemax_predictor_label(predictor, chosen).decode() == "höher"
    assert lib.lanemax_predictor_label(predictor, 3) is None
    assert abs(sum(p) - 1) < 1e-6 and p[2] > 0.5
    for i, corner in enumerate(corners):
        row = (c.c_float * 2)(*points[2 * i:2 * i + 2])
        assert lib.lanemax_predict(predictor, row, F32, c.c_size_t(2)) == corner
    assert lib.lanemax_predict(predictor, (c.c_float * 2)(1, math.nan), F32, c.c_size_t(2)) == -1
    lib.lanemax_predictor_free(predictor)
    lib.lanemax_model_free(model)

    # Learns step by step, and predicts with what it has learned so far.
    options, trainer, result = TrainerOptions(), c.c_void_p(), LossResult(struct_size=c.sizeof(LossResult))
    assert lib.lanemax_trainer_options_init(c.byref(options), c.c_size_t(c.sizeof(options))) == 0
    assert options.objective.l2 == UNSET and options.objective.loss == SOFTMAX
    options.features, options.scores, options.batch_rows, options.optimiser = 2, 3, 6, ADAM
    call("trainer_create", c.byref(options), c.byref(trainer))
    losses = []
    for _ in range(500):
        call("trainer_step", trainer, None, c.byref(batch), c.byref(result))
        losses.append(result.objective)
    assert abs(losses[0] - math.log(3)) < 1e-6 and losses[-1] < 0.3
    call("trainer_model", trainer, names, c.c_size_t(3), c.byref(model))
    call("predictor_create", model, 0, c.byref(predictor))
    assert lib.lanemax_predict(predictor, sample, F32, c.c_size_t(2)) == 2
    lib.lanemax_predictor_free(predictor)
    lib.lanemax_model_free(model)
    lib.lanemax_trainer_free(trainer)

    # Is told what is wrong.
    corners[4] = 3
    try:
        call("fit", c.byref(batch), None, names, c.c_size_t(3), c.byref(model), None)
        raise AssertionError("a label that is no class is fitted")
    except Refused as refused:
        assert str(refused) == ("labels: label out of range '3', row 4; "
                                "expected class indices from 0, below the number of classes"), refused
    print("as it should be")


if __name__ == "__main__":
    main(*sys.argv[1:])
