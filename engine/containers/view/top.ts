import { run } from '@cleat/linux/process/run';
import { conflict, invalidParameter } from '@cleat/protocol/errors';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';
import { notRunning } from '../steps/signal.js';

const deadlineMs = 10_000;

/**
 * `docker top`: the host's `ps`, restricted to the container's processes. The container's own `ps` is never run.
 * @throws Conflict when it does not run, InvalidParameter for arguments that hide the PID, or that `ps` refuses, in its words
 */
export async function top(
  context: Pick<Context, 'emit' | 'runtimes'>,
  container: Container,
  psArgs: string,
): Promise<{ Titles: string[]; Processes: string[][] }> {
  refuseRenamedPid(psArgs);
  if (psArgs.includes('\0')) throw invalidParameter('ps: invalid argument: a NUL byte');
  const { status } = container.record.state;
  if (status === 'restarting') {
    throw conflict(`Container ${container.id} is restarting, wait until the container is running`);
  }
  if (status !== 'running' && status !== 'paused') throw notRunning(container.id);
  const pids = await context.runtimes.get(container.record.runtime).ps(container.id, { deadlineMs });
  const args = (psArgs || '-ef').split(' ').filter(Boolean);
  let result = await run('ps', [...args, `-q${pids.join(',')}`], { deadlineMs });
  // Some of its options, such as `f`, do not go together with `-q`.
  if (result.code !== 0) result = await run('ps', args, { deadlineMs });
  if (result.code !== 0) throw invalidParameter(`ps: ${result.stderr.split('\n')[0] || `exit status ${result.code}`}`);
  const table = parsePs(result.stdout, new Set(pids));
  context.emit(container, 'top');
  return table;
}

/** `-o uid=PID` would make another column look like the one we select by. */
function refuseRenamedPid(psArgs: string): void {
  for (const [, column, title] of psArgs.matchAll(/\s+([^\s]*)=\s*(PID[^\s]*)/g)) {
    if (column !== 'pid') throw invalidParameter(`specifying "${column}=${title}" is not allowed`);
  }
}

/**
 * Rows of `ps` whose PID is in `pids`, and the thread rows (`-`) below such a row; what hangs over the last title
 * belongs to the last column.
 */
export function parsePs(output: string, pids: ReadonlySet<number>): { Titles: string[]; Processes: string[][] } {
  const [header = '', ...lines] = output.split('\n');
  const titles = header.trim().split(/[ \t\f\r]+/);
  const pidColumn = titles.indexOf('PID');
  if (pidColumn < 0) throw invalidParameter("Couldn't find PID field in ps output");
  const processes: string[][] = [];
  let above = false;
  for (const line of lines) {
    const fields = line.split(/[ \t\f\r]+/).filter(Boolean);
    if (fields.length === 0) continue;
    const pid = fields[pidColumn];
    if (pid !== '-') {
      if (pid === undefined || !/^\d+$/.test(pid)) throw invalidParameter(`Unexpected pid '${pid ?? ''}'`);
      above = pids.has(Number(pid));
    }
    if (above) processes.push([...fields.slice(0, titles.length - 1), fields.slice(titles.length - 1).join(' ')]);
  }
  return { Titles: titles, Processes: processes };
}
