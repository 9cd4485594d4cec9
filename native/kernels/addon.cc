// The fused ops as TensorFlow's own, for CPU: they are registered when this addon is loaded (lib/engine/kernels.ts).
#include <node_api.h>

#include "kernels.h"

/** Loading it has registered the ops; what JavaScript gets is the name of the instruction set. */
NAPI_MODULE_INIT() {
  napi_value name;
  if (napi_create_string_utf8(env, fine_r1::kernels().name, NAPI_AUTO_LENGTH, &name) != napi_ok) return nullptr;
  if (napi_set_named_property(env, exports, "instructionSet", name) != napi_ok) return nullptr;
  return exports;
}
