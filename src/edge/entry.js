// stub
import Framework from "../../build/index.js";

const HEADERS = ["cf-connecting-ip"];

export default {
  async fetch(request, env, ctx) {
    const framework = new Framework(ctx, env);
    const packed = `${request.method}\n${request.url}`;
    const [head, body] = await framework.answer(packed, new Uint8Array(0), env, ctx);
    const [status, ...pairs] = head.split("\n");
    return new Response(body, { status: Number(status), headers: pairs.filter(Boolean).map((p) => p.split("\t")) });
  },
};
