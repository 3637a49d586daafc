-- Makes wrk print one line of JSON, which survives any change to its human output.
function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\nJSON {"requests":%d,"microseconds":%d,"bad_status":%d,"failed":%d,"p50":%.1f,"p99":%.1f,"max":%.1f}\n',
      summary.requests, summary.duration, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50), latency:percentile(99), latency.max))
end
