import { afterAll, describe, test } from 'vitest';
import { generate } from './generate.js';
import { textOfOutcome } from './judge.js';
import { indexesOfPairs } from './pairs.js';
import { logTail, play } from './play.js';
import { textOfSchedule } from './schedule.js';
import { type Flavour, World } from './world.js';

/** So many of each flavour fit into a few minutes on two cores. */
const usualCount = 120;
const seed = Number(process.env.CLEAT_CHAOS_SEED ?? Math.floor(Math.random() * 1_000_000_000));
const wanted = process.env.CLEAT_CHAOS_SCHEDULES ?? String(usualCount);

/** `200`: the first so many; `17-17`, `100-199`: from one to another; `pairs-60`: few with all pairs of so many. */
function indexes(text: string, flavour: Flavour): number[] {
  const pairs = /^pairs-(\d+)$/.exec(text);
  if (pairs) return indexesOfPairs(seed, Number(pairs[1]), flavour);
  const [, first, last] = /^(\d+)-(\d+)$/.exec(text) ?? [undefined, '0', String(Number(text) - 1)];
  return Array.from({ length: Number(last) - Number(first) + 1 }, (_, at) => Number(first) + at);
}

/** A schedule mostly waits, for its moments and for what it did to settle: so many are played at once, each in a world of its own. */
const atOnce = 2;

/** One test for each schedule; a schedule that failed leaves its world, and the next ones get another. */
export function chaos(flavour: Flavour): void {
  const all = indexes(wanted, flavour);
  for (let world = 0; world < atOnce; world++) {
    const own = all.filter((_, at) => at % atOnce === world);
    describe.concurrent(`${flavour.name}, CLEAT_CHAOS_SEED=${seed}`, () => inOneWorld(flavour, own));
  }
}

function inOneWorld(flavour: Flavour, own: readonly number[]): void {
  let world: World | undefined;
  afterAll(() => world?.[Symbol.asyncDispose]());

  test.sequential.each(own)('schedule %i', async (index) => {
    const schedule = generate(seed, index, flavour);
    world ??= await World.make(flavour);
    const { complaints, outcomes } = await play(world, schedule).catch((error: Error) => ({
      complaints: [`it could not be played to its end: ${error.stack}`],
      outcomes: [],
    }));
    if (complaints.length === 0) return;
    const report = [
      ...complaints.map((complaint) => `- ${complaint}`),
      `to play it again: CLEAT_CHAOS_SEED=${seed} CLEAT_CHAOS_SCHEDULES=${index}-${index} npx vitest run --project chaos test/chaos/${flavour.name}.test.ts`,
      textOfSchedule(schedule),
      'what came of it:',
      ...outcomes.map(textOfOutcome),
      'the end of the log of the engine:',
      logTail(world),
    ].join('\n');
    const spoiled = world;
    world = undefined;
    // The report above says what is wrong; the world is still taken down.
    const left = await spoiled[Symbol.asyncDispose]().catch((error: Error) => `\n${error.message}`);
    throw new Error(`${report}${left ?? ''}`);
  });
}
