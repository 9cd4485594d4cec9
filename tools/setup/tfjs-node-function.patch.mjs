/**
 * Six functions added to the addon of @tensorflow/tfjs-node-gpu, as insertions before exact anchors:
 *
 * - `addFunctionDef(bytes: Uint8Array)`: registers a serialized `FunctionDef`, which `callFunction` can then call;
 * - `callFunction(name: string, inputs: Int32Array, outputCount: number)`: calls it, as `executeOp` would, but takes
 *   the inputs' ids in one piece and returns the first output's id, which those of the others follow, in place of an
 *   object for each;
 * - `removeFunction(name: string)`: forgets it;
 * - `getOpList(): Buffer`: the serialized `OpList` of every registered op (argument names and types);
 * - `inferShapes(bytes: Uint8Array, node: string)`: `{ shape, dtype }[]` of the outputs of a node of a serialized
 *   `GraphDef`, as TensorFlow infers them; a size that it can't tell is -1, a shape of unknown rank null;
 * - `setTensorFloat32(allowed: boolean)`: whether GPUs may multiply float32 in TF32, in TensorFlow's own kernels and in
 *   XLA's. and one that TensorFlow's libraries are loaded after:
 *
 * - `SetLogLevel`: `TF_CPP_MIN_LOG_LEVEL` counts from their first message on.
 *
 * `sha256` is that of the file as published: another content is refused, so the patch never lands on code it was not
 * written for. Applied by `applyPatch` to a copy; the package in node_modules stays as npm installed it.
 */
export const patch = {
  package: "@tensorflow/tfjs-node-gpu",
  version: "4.22.0",
  files: [
    {
      path: "binding/tfjs_backend.h",
      sha256: "51a1cb1db170f78edca4edcd1245b600251f88fba9c5fdea340fb13d9e4cc728",
      insertions: [
        {
          before: "  // Load a SavedModel from a path:\n",
          text: `  // Registers a function with the eager context:
  // - bytes (Uint8Array with a serialized FunctionDef)
  void AddFunctionDef(napi_env env, napi_value bytes);

  // Calls a registered function:
  // - name (string)
  // - input_ids (Int32Array)
  // - output_count (number)
  // Returns the ID of the first output; those of the others follow it.
  napi_value CallFunction(napi_env env, napi_value name, napi_value input_ids,
                          napi_value output_count);

  // Removes a registered function:
  // - name (string)
  void RemoveFunction(napi_env env, napi_value name);

  // Returns the serialized OpList of every registered op.
  napi_value GetOpList(napi_env env);

  // Infers the shapes of a node's outputs, without running anything:
  // - bytes (Uint8Array with a serialized GraphDef)
  // - node (string)
  napi_value InferShapes(napi_env env, napi_value bytes, napi_value node);

  // Says whether float32 may be multiplied in TF32:
  // - allowed (boolean)
  void SetTensorFloat32(napi_env env, napi_value allowed);

`,
        },
      ],
    },
    {
      path: "binding/tfjs_backend.cc",
      sha256: "37a6a6f29e0be5e6ba17fe2b7c943a730f1069eaa8a536fd42ea22b0c56695f7",
      insertions: [
        {
          before: '#include "tf_auto_tensor.h"\n',
          text: '#include "tensorflow/core/platform/tensor_float_32_utils.h"\n',
        },
        {
          before: "napi_value TFJSBackend::LoadSavedModel(napi_env env,\n",
          text: `void TFJSBackend::AddFunctionDef(napi_env env, napi_value bytes) {
  napi_typedarray_type type;
  size_t length;
  void *data;
  napi_status nstatus = napi_get_typedarray_info(env, bytes, &type, &length,
                                                 &data, nullptr, nullptr);
  ENSURE_NAPI_OK(env, nstatus);
  if (type != napi_uint8_array) {
    NAPI_THROW_ERROR(env, "addFunctionDef takes a Uint8Array");
    return;
  }
  TF_AutoStatus tf_status;
  TFE_ContextAddFunctionDef(tfe_context_, static_cast<const char *>(data),
                            length, tf_status.status);
  ENSURE_TF_OK(env, tf_status);
}

napi_value TFJSBackend::CallFunction(napi_env env, napi_value name,
                                     napi_value input_ids,
                                     napi_value output_count) {
  std::string function_name;
  napi_status nstatus = GetStringParam(env, name, function_name);
  ENSURE_NAPI_OK_RETVAL(env, nstatus, nullptr);
  napi_typedarray_type type;
  size_t length;
  void *data;
  nstatus = napi_get_typedarray_info(env, input_ids, &type, &length, &data,
                                     nullptr, nullptr);
  ENSURE_NAPI_OK_RETVAL(env, nstatus, nullptr);
  if (type != napi_int32_array) {
    NAPI_THROW_ERROR(env, "callFunction takes the inputs as an Int32Array");
    return nullptr;
  }
  int32_t count;
  nstatus = napi_get_value_int32(env, output_count, &count);
  ENSURE_NAPI_OK_RETVAL(env, nstatus, nullptr);
  if (count < 0) {
    NAPI_THROW_ERROR(env, "callFunction: %d outputs", count);
    return nullptr;
  }

  TF_AutoStatus tf_status;
  TFE_AutoOp tfe_op(
      TFE_NewOp(tfe_context_, function_name.c_str(), tf_status.status));
  ENSURE_TF_OK_RETVAL(env, tf_status, nullptr);
  const int32_t *ids = static_cast<const int32_t *>(data);
  for (size_t i = 0; i < length; i++) {
    auto input = tfe_handle_map_.find(ids[i]);
    if (input == tfe_handle_map_.end()) {
      NAPI_THROW_ERROR(env, "Input Tensor ID not referenced (tensor_id: %d)",
                       ids[i]);
      return nullptr;
    }
    TFE_OpAddInput(tfe_op.op, input->second, tf_status.status);
    ENSURE_TF_OK_RETVAL(env, tf_status, nullptr);
  }
  std::vector<TFE_TensorHandle *> results(count, nullptr);
  int size = count;
  TFE_Execute(tfe_op.op, results.data(), &size, tf_status.status);
  ENSURE_TF_OK_RETVAL(env, tf_status, nullptr);

  const int32_t first = next_tensor_id_;
  for (int i = 0; i < size; i++) InsertHandle(results[i]);
  if (size != count) {
    NAPI_THROW_ERROR(env, "callFunction: the function has %d outputs, not %d",
                     size, count);
    return nullptr;
  }
  napi_value first_id;
  nstatus = napi_create_int32(env, first, &first_id);
  ENSURE_NAPI_OK_RETVAL(env, nstatus, nullptr);
  return first_id;
}

void TFJSBackend::RemoveFunction(napi_env env, napi_value name) {
  std::string function_name;
  napi_status nstatus = GetStringParam(env, name, function_name);
  ENSURE_NAPI_OK(env, nstatus);
  TF_AutoStatus tf_status;
  TFE_ContextRemoveFunction(tfe_context_, function_name.c_str(),
                            tf_status.status);
  ENSURE_TF_OK(env, tf_status);
}

napi_value TFJSBackend::GetOpList(napi_env env) {
  TF_Buffer *list = TF_GetAllOpList();
  napi_value result;
  napi_status nstatus = napi_create_buffer_copy(env, list->length, list->data,
                                                nullptr, &result);
  TF_DeleteBuffer(list);
  ENSURE_NAPI_OK_RETVAL(env, nstatus, nullptr);
  return result;
}

napi_value TFJSBackend::InferShapes(napi_env env, napi_value bytes,
                                    napi_value node) {
  napi_typedarray_type array_type;
  size_t length;
  void *data;
  napi_status nstatus = napi_get_typedarray_info(env, bytes, &array_type,
                                                 &length, &data, nullptr,
                                                 nullptr);
  ENSURE_NAPI_OK_RETVAL(env, nstatus, nullptr);
  std::string name;
  nstatus = GetStringParam(env, node, name);
  ENSURE_NAPI_OK_RETVAL(env, nstatus, nullptr);

  TF_AutoStatus tf_status;
  std::unique_ptr<TF_Graph, decltype(&TF_DeleteGraph)> graph(TF_NewGraph(),
                                                             TF_DeleteGraph);
  std::unique_ptr<TF_Buffer, decltype(&TF_DeleteBuffer)> buffer(
      TF_NewBufferFromString(data, length), TF_DeleteBuffer);
  std::unique_ptr<TF_ImportGraphDefOptions,
                  decltype(&TF_DeleteImportGraphDefOptions)>
      options(TF_NewImportGraphDefOptions(), TF_DeleteImportGraphDefOptions);
  TF_GraphImportGraphDef(graph.get(), buffer.get(), options.get(),
                         tf_status.status);
  ENSURE_TF_OK_RETVAL(env, tf_status, nullptr);
  TF_Operation *operation = TF_GraphOperationByName(graph.get(), name.c_str());
  if (operation == nullptr) {
    NAPI_THROW_ERROR(env, "inferShapes: the graph has no such node");
    return nullptr;
  }

  const int count = TF_OperationNumOutputs(operation);
  napi_value infos;
  nstatus = napi_create_array_with_length(env, count, &infos);
  ENSURE_NAPI_OK_RETVAL(env, nstatus, nullptr);
  for (int i = 0; i < count; i++) {
    const TF_Output output = {operation, i};
    const int rank =
        TF_GraphGetTensorNumDims(graph.get(), output, tf_status.status);
    ENSURE_TF_OK_RETVAL(env, tf_status, nullptr);
    napi_value shape;
    if (rank < 0) {
      nstatus = napi_get_null(env, &shape);
    } else {
      std::vector<int64_t> sizes(rank);
      TF_GraphGetTensorShape(graph.get(), output, sizes.data(), rank,
                             tf_status.status);
      ENSURE_TF_OK_RETVAL(env, tf_status, nullptr);
      nstatus = napi_create_array_with_length(env, rank, &shape);
      for (int d = 0; d < rank && nstatus == napi_ok; d++) {
        napi_value size;
        nstatus = napi_create_int64(env, sizes[d], &size);
        if (nstatus == napi_ok) nstatus = napi_set_element(env, shape, d, size);
      }
    }
    ENSURE_NAPI_OK_RETVAL(env, nstatus, nullptr);
    napi_value info, dtype;
    nstatus = napi_create_object(env, &info);
    ENSURE_NAPI_OK_RETVAL(env, nstatus, nullptr);
    nstatus = napi_create_int32(env, TF_OperationOutputType(output), &dtype);
    ENSURE_NAPI_OK_RETVAL(env, nstatus, nullptr);
    nstatus = napi_set_named_property(env, info, "shape", shape);
    ENSURE_NAPI_OK_RETVAL(env, nstatus, nullptr);
    nstatus = napi_set_named_property(env, info, "dtype", dtype);
    ENSURE_NAPI_OK_RETVAL(env, nstatus, nullptr);
    nstatus = napi_set_element(env, infos, i, info);
    ENSURE_NAPI_OK_RETVAL(env, nstatus, nullptr);
  }
  return infos;
}

void TFJSBackend::SetTensorFloat32(napi_env env, napi_value allowed) {
  bool value;
  napi_status nstatus = napi_get_value_bool(env, allowed, &value);
  ENSURE_NAPI_OK(env, nstatus);
  tsl::enable_tensor_float_32_execution(value);
}

`,
        },
      ],
    },
    {
      path: "binding/tfjs_binding.cc",
      sha256: "352e096779ac9c9cfe0648ea887e8991828375e2b11955b4e220b7ab5b9fb690",
      insertions: [
        {
          before: "namespace tfnodejs {\n",
          text: `#include <cstdlib>
#include "absl/base/log_severity.h"
#include "absl/log/globals.h"

// TF_CPP_MIN_LOG_LEVEL for what TensorFlow logs while its libraries are loaded, which it does before it reads the
// variable itself. The addon is linked with \`-z initfirst\`, so this runs before any of their constructors.
__attribute__((constructor)) static void SetLogLevel() {
  const char *level = std::getenv("TF_CPP_MIN_LOG_LEVEL");
  if (level != nullptr && level[0] >= '1' && level[0] <= '3' && level[1] == 0)
    absl::SetMinLogLevel(static_cast<absl::LogSeverityAtLeast>(level[0] - '0'));
}

`,
        },
        {
          before: "static napi_value LoadSavedModel(napi_env env, napi_callback_info info) {\n",
          text: `// The arguments of a call, \`argc\` of them, and the backend; null where
// something threw.
static TFJSBackend *TakeCall(napi_env env, napi_callback_info info,
                             size_t argc, napi_value *args,
                             napi_value *js_this) {
  napi_status nstatus =
      napi_get_cb_info(env, info, &argc, args, js_this, nullptr);
  ENSURE_NAPI_OK_RETVAL(env, nstatus, nullptr);
  return GetTFJSBackend(env);
}

static napi_value AddFunctionDef(napi_env env, napi_callback_info info) {
  napi_value args[1], js_this;
  TFJSBackend *backend = TakeCall(env, info, 1, args, &js_this);
  if (!backend) return nullptr;
  backend->AddFunctionDef(env, args[0]);
  return js_this;
}

static napi_value CallFunction(napi_env env, napi_callback_info info) {
  napi_value args[3];
  TFJSBackend *backend = TakeCall(env, info, 3, args, nullptr);
  if (!backend) return nullptr;
  return backend->CallFunction(env, args[0], args[1], args[2]);
}

static napi_value RemoveFunction(napi_env env, napi_callback_info info) {
  napi_value args[1], js_this;
  TFJSBackend *backend = TakeCall(env, info, 1, args, &js_this);
  if (!backend) return nullptr;
  backend->RemoveFunction(env, args[0]);
  return js_this;
}

static napi_value GetOpList(napi_env env, napi_callback_info info) {
  TFJSBackend *backend = GetTFJSBackend(env);
  if (!backend) return nullptr;
  return backend->GetOpList(env);
}

static napi_value InferShapes(napi_env env, napi_callback_info info) {
  napi_value args[2];
  TFJSBackend *backend = TakeCall(env, info, 2, args, nullptr);
  if (!backend) return nullptr;
  return backend->InferShapes(env, args[0], args[1]);
}

static napi_value SetTensorFloat32(napi_env env, napi_callback_info info) {
  napi_value args[1], js_this;
  TFJSBackend *backend = TakeCall(env, info, 1, args, &js_this);
  if (!backend) return nullptr;
  backend->SetTensorFloat32(env, args[0]);
  return js_this;
}

`,
        },
        {
          before: '      {"getNumOfTensors", nullptr, GetNumOfTensors, nullptr, nullptr,\n',
          text: `      {"addFunctionDef", nullptr, AddFunctionDef, nullptr, nullptr, nullptr,
       napi_default, nullptr},
      {"callFunction", nullptr, CallFunction, nullptr, nullptr, nullptr,
       napi_default, nullptr},
      {"removeFunction", nullptr, RemoveFunction, nullptr, nullptr, nullptr,
       napi_default, nullptr},
      {"getOpList", nullptr, GetOpList, nullptr, nullptr, nullptr,
       napi_default, nullptr},
      {"inferShapes", nullptr, InferShapes, nullptr, nullptr, nullptr,
       napi_default, nullptr},
      {"setTensorFloat32", nullptr, SetTensorFloat32, nullptr, nullptr,
       nullptr, napi_default, nullptr},
`,
        },
      ],
    },
  ],
};
