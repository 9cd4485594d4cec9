// The addon of lib/processor/image-addon.ts. Two functions:
//
//   patches(plan): Promise<Float32Array>
//   release(result): void
//
// `plan` is an object with the fields that `read_plan` names. Everything is checked before anything is read or
// allocated: a wrong field throws a TypeError with its name. The work is done on libuv's thread pool; `plan.pixels`
// must not be transferred to another thread before the promise settles.
#include <node_api.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "memory.h"
#include "patches.h"

namespace {

using fine_r1::Plan;

/** Sides of an image; more than any format that sharp reads allows. */
constexpr double kMaxSide = 1 << 20;
/** Numbers in a result: 4 GiB. */
constexpr size_t kMaxOutput = size_t{1} << 30;

/** Gives a result's memory back. */
struct Free {
  size_t bytes = 0;
  void operator()(float* data) const { fine_r1::give_back(data, bytes); }
};

struct Job {
  Plan plan{};
  napi_ref pixels = nullptr;
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
  std::unique_ptr<float[], Free> out;
};

/** Reads the fields of the plan; after the first wrong one `ok` is false and an exception is pending. */
struct Reader {
  napi_env env;
  napi_value object;
  bool ok = true;

  void fail(const std::string& message) {
    if (ok) napi_throw_type_error(env, nullptr, ("patches: " + message).c_str());
    ok = false;
  }

  napi_value field(const char* name) {
    napi_value value = nullptr;
    if (ok && napi_get_named_property(env, object, name, &value) != napi_ok) {
      ok = false;  // a getter that threw: its exception is pending
    }
    return value;
  }

  size_t integer(const char* name, double low, double high) {
    const napi_value value = field(name);
    double number = 0;
    if (!ok) return 0;
    const bool is_number = napi_get_value_double(env, value, &number) == napi_ok;
    if (is_number && number >= low && number <= high && number == static_cast<double>(static_cast<size_t>(number)))
      return static_cast<size_t>(number);
    fail(std::string(name) + (is_number ? " is " + text(value) : " is no number") + "; expected an integer from " +
         std::to_string(static_cast<size_t>(low)) + " to " + std::to_string(static_cast<size_t>(high)));
    return 0;
  }

  bool boolean(const char* name) {
    const napi_value value = field(name);
    bool result = false;
    if (ok && napi_get_value_bool(env, value, &result) != napi_ok) fail(std::string(name) + " is no boolean");
    return result;
  }

  /** A typed array's memory. */
  void* array(const char* name, napi_typedarray_type type, const char* type_name, size_t length, napi_value* value) {
    *value = field(name);
    if (!ok) return nullptr;
    bool is_array = false;
    napi_typedarray_type found{};
    size_t found_length = 0;
    void* data = nullptr;
    if (napi_is_typedarray(env, *value, &is_array) != napi_ok || !is_array ||
        napi_get_typedarray_info(env, *value, &found, &found_length, &data, nullptr, nullptr) != napi_ok ||
        found != type) {
      fail(std::string(name) + " is no " + type_name);
    } else if (found_length != length) {
      fail(std::string(name) + " has " + std::to_string(found_length) + " elements; expected " +
           std::to_string(length));
    }
    return ok ? data : nullptr;
  }

  std::string text(napi_value value) {
    napi_value as_text;
    char buffer[32] = "?";
    if (napi_coerce_to_string(env, value, &as_text) == napi_ok)
      napi_get_value_string_utf8(env, as_text, buffer, sizeof buffer, nullptr);
    return buffer;
  }
};

/** @return whether all fields are right; otherwise an exception is pending */
bool read_plan(Reader& from, Plan& plan, napi_value* pixels) {
  plan.width = from.integer("width", 1, kMaxSide);
  plan.height = from.integer("height", 1, kMaxSide);
  plan.channels = from.integer("channels", 3, 4);
  plan.white = from.boolean("white");
  plan.patch = from.integer("patchSize", 1, 1024);
  plan.merge = from.integer("mergeSize", 1, 64);
  plan.frames = from.integer("frames", 1, 64);
  plan.to_width = from.integer("toWidth", 1, kMaxSide);
  plan.to_height = from.integer("toHeight", 1, kMaxSide);
  plan.order = from.boolean("horizontalFirst") ? fine_r1::Order::kHorizontal : fine_r1::Order::kPillow13;
  const size_t block = plan.patch * plan.merge;
  if (from.ok && plan.to_width % block != 0)
    from.fail("toWidth is " + std::to_string(plan.to_width) +
              "; expected a multiple of patchSize * mergeSize = " + std::to_string(block));
  if (from.ok && plan.to_height % block != 0)
    from.fail("toHeight is " + std::to_string(plan.to_height) +
              "; expected a multiple of patchSize * mergeSize = " + std::to_string(block));
  // below 2^40 * 3 * 64, so the product itself can't overflow
  if (from.ok && plan.output_length() > kMaxOutput)
    from.fail(std::to_string(plan.to_width) + " x " + std::to_string(plan.to_height) + " pixels are too many");
  napi_value tables;
  const void* values = from.array("tables", napi_float32_array, "Float32Array", fine_r1::kChannels * 256, &tables);
  if (from.ok) std::memcpy(plan.tables, values, sizeof plan.tables);
  // last, so that no getter of the object runs after it
  plan.pixels = static_cast<const uint8_t*>(
      from.array("pixels", napi_uint8_array, "Uint8Array", plan.width * plan.height * plan.channels, pixels));
  return from.ok;
}

/** On a thread of the pool. Where memory runs out `out` stays empty. */
void execute(napi_env, void* data) {
  Job* job = static_cast<Job*>(data);
  try {
    const size_t bytes = job->plan.output_length() * sizeof(float);
    job->out = std::unique_ptr<float[], Free>(static_cast<float*>(fine_r1::take_memory(bytes)), Free{bytes});
    if (job->out) fine_r1::make_patches(job->plan, job->out.get());
  } catch (const std::bad_alloc&) {
    job->out.reset();
  }
}

/** Hands the memory over without a copy. */
napi_status as_float32_array(napi_env env, Job* job, napi_value* result) {
  const size_t length = job->plan.output_length();
  napi_value buffer;
  // as the hint, its length
  const auto release = [](napi_env, void* data, void* bytes) {
    fine_r1::give_back(data, reinterpret_cast<size_t>(bytes));
  };
  napi_status status = napi_create_external_arraybuffer(env, job->out.get(), length * sizeof(float), release,
                                                        reinterpret_cast<void*>(length * sizeof(float)), &buffer);
  if (status == napi_ok) {
    job->out.release();
  } else {  // a Node built without external memory
    void* data;
    status = napi_create_arraybuffer(env, length * sizeof(float), &data, &buffer);
    if (status != napi_ok) return status;
    std::memcpy(data, job->out.get(), length * sizeof(float));
  }
  return napi_create_typedarray(env, napi_float32_array, length, buffer, 0, result);
}

void complete(napi_env env, napi_status status, void* data) {
  const std::unique_ptr<Job> job(static_cast<Job*>(data));
  napi_value result;
  if (status == napi_ok && job->out && as_float32_array(env, job.get(), &result) == napi_ok) {
    napi_resolve_deferred(env, job->deferred, result);
  } else {
    const std::string message = "patches: no memory for " + std::to_string(job->plan.width) + " x " +
                                std::to_string(job->plan.height) + " pixels as " + std::to_string(job->plan.to_width) +
                                " x " + std::to_string(job->plan.to_height);
    napi_value text, error;
    napi_create_string_utf8(env, message.c_str(), message.size(), &text);
    napi_create_error(env, nullptr, text, &error);
    napi_reject_deferred(env, job->deferred, error);
  }
  napi_delete_reference(env, job->pixels);
  napi_delete_async_work(env, job->work);
}

napi_value patches(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument, promise, pixels, name;
  napi_valuetype type;
  if (napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr) != napi_ok) return nullptr;
  if (napi_typeof(env, argument, &type) != napi_ok || type != napi_object) {
    napi_throw_type_error(env, nullptr, "patches: expected an object");
    return nullptr;
  }
  auto job = std::make_unique<Job>();
  Reader reader{env, argument};
  if (!read_plan(reader, job->plan, &pixels)) return nullptr;
  if (napi_create_string_utf8(env, "patches", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_async_work(env, nullptr, name, execute, complete, job.get(), &job->work) != napi_ok ||
      napi_create_reference(env, pixels, 1, &job->pixels) != napi_ok ||
      napi_create_promise(env, &job->deferred, &promise) != napi_ok ||
      napi_queue_async_work(env, job->work) != napi_ok) {
    napi_throw_error(env, nullptr, "patches: could not be started");
    return nullptr;
  }
  job.release();  // `complete` takes it
  return promise;
}

/** Empties a result, whose memory is free at once. */
napi_value release(napi_env env, napi_callback_info info) {
  size_t count = 1, length;
  napi_value argument, buffer;
  napi_typedarray_type type;
  bool is_array = false;
  if (napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr) != napi_ok) return nullptr;
  if (napi_is_typedarray(env, argument, &is_array) != napi_ok || !is_array ||
      napi_get_typedarray_info(env, argument, &type, &length, nullptr, &buffer, nullptr) != napi_ok ||
      napi_detach_arraybuffer(env, buffer) != napi_ok) {
    napi_throw_type_error(env, nullptr, "release: expected a result of patches");
  }
  return nullptr;
}

}  // namespace

NAPI_MODULE_INIT() {
  const std::pair<const char*, napi_callback> functions[] = {{"patches", patches}, {"release", release}};
  for (const auto& [name, callback] : functions) {
    napi_value function;
    if (napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function) != napi_ok) return nullptr;
    if (napi_set_named_property(env, exports, name, function) != napi_ok) return nullptr;
  }
  return exports;
}
