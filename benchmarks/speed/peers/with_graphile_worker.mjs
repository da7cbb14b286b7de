// graphile-worker: fifty jobs at once, 500 claimed ahead, completions gathered for 20 ms.
import { makeWorkerUtils, run as start } from "graphile-worker";

import { chunks, oneByOne, run, sender } from "./posting.mjs";

async function fill(order) {
  const utils = await makeWorkerUtils({ connectionString: order.database });
  await utils.migrate();
  for (const chunk of chunks(order)) {
    await utils.addJobs(chunk.map((payload) => ({ identifier: "send", payload })));
  }
  await utils.release();
}

async function drain(order) {
  const preset = {
    worker: {
      connectionString: order.database,
      concurrentJobs: 50,
      maxPoolSize: 52,
      localQueue: { size: 500 },
      completeJobBatchDelay: 20,
      failJobBatchDelay: 20,
    },
  };
  await start({ preset, taskList: { send: sender(order) } });
}

async function trickle(order) {
  const utils = await makeWorkerUtils({ connectionString: order.database });
  await oneByOne(order, (payload) => utils.addJob("send", payload));
  await utils.release();
}

await run({ fill, drain, trickle });
