import { processesOf } from '../../../cli/sweep/processes.js';
import type { Engine } from './engine.js';

/** The process that answers for names of an engine's containers; undefined while there is none. */
export const namesPid = (engine: Engine): number | undefined =>
  processesOf(engine).find(({ command }) => command.includes('names/program/'))?.pid;
