import { methodPath } from '@cleat/protocol/kinds/kind';
import { logKind } from '@cleat/protocol/kinds/log';
import { cases } from '../../verify/case.js';
import { Finding } from '../../verify/finding.js';
import { complaintAbout } from '../../verify/readable-error.js';
import { container, mustRead, readRequest } from './steps.js';

/** Cases that are safe for a plugin in production. */
export const looking = cases(
  logKind,
  {
    id: 'log/capabilities',
    title: 'Capabilities, if there are any, have ReadLogs as a boolean',
    why: 'dockerd asks before each start. What it cannot decode it takes for a driver that cannot be read, and `docker logs` fails.',
    async run(trial) {
      const said = await trial.ask('Capabilities', {});
      if (said.status === 404) return;
      trial.read('Capabilities', said, 'Cap with ReadLogs, true or false');
    },
  },
  {
    id: 'log/capabilities-empty-body',
    title: 'Capabilities is answered without a body',
    why: 'dockerd sends none, not even `{}`. A plugin that cannot read that answers an error, and is never asked to read.',
    async run(trial) {
      const usual = await trial.ask('Capabilities', {});
      const said = await trial.send(methodPath(logKind, 'Capabilities'), '');
      const same = trial.succeeded('Capabilities', said) === trial.succeeded('Capabilities', usual);
      trial.holds(same, 'the same answer as to {}', said);
    },
  },
  {
    id: 'log/capabilities-shape',
    title: 'ReadLogs is said under Cap, where Docker reads it, and not only at the top',
    why: 'Documents show it at the top; moby reads `Cap` alone (`daemon/logger/proxy.go`). `docker logs` is then never asked of the driver.',
    weight: 'should',
    async run(trial) {
      const said = await trial.ask('Capabilities', {});
      if (!trial.succeeded('Capabilities', said)) return;
      const atTheTop = /^\s*\{[^{}]*"readlogs"\s*:\s*true/i.test(said.text);
      const under = trial.read('Capabilities', said).Cap?.ReadLogs !== undefined;
      trial.holds(under || !atTheTop, '{"Cap": {"ReadLogs": true}}', said);
    },
  },
  {
    id: 'log/read-declared',
    title: 'A driver that says that it can be read has ReadLogs',
    why: 'Engines ask a plugin that says so, and have no other answer for `docker logs`.',
    async run(trial) {
      await mustRead(trial);
      const said = await trial.ask('ReadLogs', readRequest(container(trial)), { take: () => {} });
      trial.holds(said.failure === '' && said.status !== 404, 'any answer but “no such method”', said);
    },
  },
  {
    id: 'log/read-unknown',
    title: 'ReadLogs of a container that is not known is empty, or an error that a person understands',
    why: '`docker logs` of a container that never printed anything asks for it.',
    async run(trial) {
      await mustRead(trial);
      const taken: Uint8Array[] = [];
      const request = readRequest(container(trial));
      const said = await trial.ask('ReadLogs', request, { take: (chunk) => taken.push(chunk) });
      trial.holds(said.failure === '', 'an answer that ends', said);
      if (said.status === 200 && said.text === '') {
        trial.holds(taken.length === 0, 'nothing, or an error', said, `${Buffer.concat(taken).length} bytes of a log`);
        return;
      }
      const complaint = complaintAbout(logKind, said);
      if (complaint !== undefined) throw new Finding('an error that a person understands', said, complaint);
    },
  },
  {
    id: 'log/stop-unknown',
    title: 'StopLogging of a stream that is not known does no harm',
    why: 'Engines repeat it when they do not know whether it arrived; after a crash the plugin knows none of its streams.',
    async run(trial) {
      for (const _ of ['once', 'again']) {
        await trial.answers('StopLogging', { File: `/run/docker/logging/${trial.freshId()}` });
      }
      const alive = await trial.send('/Plugin.Activate', '');
      trial.holds(alive.status === 200, 'the plugin to serve as before', alive);
    },
  },
);
