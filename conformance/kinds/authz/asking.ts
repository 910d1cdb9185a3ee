import { authzKind } from '@cleat/protocol/kinds/authz';
import { cases } from '../../verify/case.js';
import { Inapplicable } from '../../verify/trial.js';
import {
  type AuthzTrial,
  answered,
  base64,
  creating,
  daring,
  everyday,
  question,
  questionWithBody,
  verdict,
} from './steps.js';

/** dockerd shows bodies of less than a MiB. */
const largeBytes = 1024 * 1024 - 1;

/** Requests in every form that engines have for them. Nothing is done: there is only a question. */
export const asking = cases(
  authzKind,
  {
    id: 'authz/request',
    title: 'A question about a request is answered with a verdict',
    why: 'Every request of every client waits for it. An answer that is none denies the request: nobody can use the engine.',
    async run(trial) {
      for (const asked of everyday) await verdict(trial, asked);
    },
  },
  {
    id: 'authz/response',
    title: 'A question about a response is answered with a verdict',
    why: 'Each allowed request is asked about again, with its answer. What is denied then was done all the same, and its client is told that it failed.',
    async run(trial) {
      for (const asked of everyday) {
        const response = {
          ResponseStatusCode: 200,
          ResponseBody: base64('{"Id":"verify"}'),
          ResponseHeaders: { 'Content-Type': 'application/json' },
        };
        await verdict(trial, asked);
        await verdict(trial, { ...asked, ...response }, 'a verdict', 'AuthZRes');
      }
    },
  },
  {
    id: 'authz/response-alone',
    title: 'A question about a response is answered without the one about its request',
    why: 'Between the two lies all that a request takes: a plugin that was started again meanwhile never heard the first.',
    async run(trial) {
      const asked = question('GET', '/v1.41/containers/never-asked-before/json');
      for (const ResponseStatusCode of [200, 101, 304, 404, 500])
        await verdict(trial, { ...asked, ResponseStatusCode }, 'a verdict', 'AuthZRes');
    },
  },
  {
    id: 'authz/allow-said',
    title: 'Allow is there, whether it is true or false',
    why: 'A missing one counts as false. It is good to tell whether that was meant.',
    weight: 'should',
    async run(trial) {
      for (const asked of [...everyday, ...daring]) {
        const said = await trial.ask('AuthZReq', asked);
        if (!trial.succeeded('AuthZReq', said)) continue;
        trial.holds(/"allow"\s*:/i.test(said.text), 'Allow, true or false', said);
      }
    },
  },
  {
    id: 'authz/denials-say-why',
    title: 'A denial says why, in words that a person understands',
    why: '“authorization denied by plugin x: ”, and nothing more, is all that the user reads.',
    weight: 'should',
    async run(trial) {
      const denials = await denied(trial);
      if (denials.length === 0) throw new Inapplicable('it denied nothing of what was asked');
      for (const { message, said } of denials) {
        trial.holds(message.trim() !== '', 'a Msg that says why', said);
        trial.holds(!/%!\w?\(|^\s*at .*:\d+/m.test(message), 'a Msg that a person understands', said);
      }
    },
  },
  {
    id: 'authz/no-body',
    title: 'A question without a body is answered',
    why: 'Most requests have none, and what streams or is larger than a MiB is not shown.',
    async run(trial) {
      for (const asked of [
        question('POST', '/v1.41/containers/create'),
        question('POST', '/v1.41/build?t=verify', { RequestHeaders: { 'Content-Type': 'application/x-tar' } }),
        question('POST', '/v1.41/containers/verify/start', { RequestBody: '' }),
        { RequestMethod: 'GET', RequestUri: '/_ping' },
      ])
        await answered(trial, asked);
    },
  },
  {
    id: 'authz/body-no-json',
    title: 'A body that is not what it says does not take the plugin down',
    why: 'Clients send what they like, and say that it is JSON. A plugin that dies of it denies everybody everything.',
    async run(trial) {
      const [usual = question('GET', '/_ping')] = everyday;
      const { allow } = await verdict(trial, usual);
      for (const body of [
        'no JSON',
        '{"Image":',
        '[]',
        'null',
        '"text"',
        '{"HostConfig":[]}',
        '{"HostConfig":null}',
        '\u0000',
      ])
        await answered(trial, creating(body));
      await answered(trial, questionWithBody('/v1.41/containers/create', '', { RequestBody: '%%% no base64 %%%' }));
      const after = await verdict(trial, usual, 'the same verdict as before');
      trial.holds(after.allow === allow, 'the same verdict as before', after.said);
    },
  },
  {
    id: 'authz/large-body',
    title: 'A body of a MiB is read',
    why: 'dockerd shows bodies up to that, and frameworks read 100 KB unless they are told otherwise: what is larger is denied, with an error about the plugin.',
    async run(trial) {
      const frame = JSON.stringify({ Image: 'busybox', Labels: { long: '' } });
      const long = 'x'.repeat(largeBytes - frame.length);
      await verdict(trial, creating({ Image: 'busybox', Labels: { long } }));
    },
  },
  {
    id: 'authz/large-response',
    title: 'An answer of four MiB is read',
    why: 'The list of containers or images of a busy host is as long, and dockerd shows it whole.',
    async run(trial) {
      const item = { Id: 'sha256:0123456789abcdef', RepoTags: ['verify:latest'], Labels: { long: 'x'.repeat(1_000) } };
      const asked = question('GET', '/v1.41/images/json', {
        ResponseStatusCode: 200,
        ResponseHeaders: { 'Content-Type': 'application/json' },
        ResponseBody: base64(JSON.stringify(Array.from({ length: 4_000 }, () => item))),
      });
      await verdict(trial, asked, 'a verdict', 'AuthZRes');
    },
  },
  {
    id: 'authz/targets',
    title: 'Targets of every form are answered',
    why: 'Clients of eleven years send what they always sent; a verdict that is an error denies it.',
    async run(trial) {
      for (const uri of [
        '/_ping',
        '/v1.20/containers/json',
        '/v1.41/containers/json?all=1&filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D',
        '/v1.41/images/registry.example.com%3A5000%2Fa%2Fb:latest/json',
        '/v1.41/images/registry.example.com:5000/a/b@sha256:0123/json',
        '/v1.41/containers/%E2%9C%93/json',
        '/v1.41/exec/verify/start',
        '/grpc',
        '/v1.41/nothing/of/this/kind',
        `/v1.41/containers/json?filters=${'x'.repeat(8_000)}`,
        '/v1.41/containers/json?name=%zz',
        '//containers/json',
        '*',
        '',
      ])
        await answered(trial, question('GET', uri));
    },
  },
  {
    id: 'authz/methods',
    title: 'HTTP methods of every kind are answered',
    why: 'HEAD is how clients ping. What a plugin has no rule for still needs a verdict.',
    async run(trial) {
      for (const verb of ['HEAD', 'PUT', 'OPTIONS', 'PATCH', 'PROPFIND', ''])
        await answered(trial, question(verb, '/_ping'));
    },
  },
  {
    id: 'authz/users',
    title: 'A question about somebody with a certificate is answered',
    why: 'Over TLS a question has a name and certificates, on the UNIX socket it has neither.',
    async run(trial) {
      const certificate = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
      await answered(
        trial,
        question('GET', '/v1.41/info', {
          User: 'verify',
          UserAuthNMethod: 'TLS',
          RequestPeerCertificates: [base64(certificate), base64(certificate)],
        }),
      );
      await answered(
        trial,
        question('GET', '/v1.41/info', { User: 'CN with “signs”, \u202e and more', UserAuthNMethod: 'TLS' }),
      );
    },
  },
);

/** The verdicts that were denials. */
async function denied(trial: AuthzTrial) {
  const denials: Awaited<ReturnType<typeof verdict>>[] = [];
  for (const asked of [...everyday, ...daring]) {
    const said = await trial.ask('AuthZReq', asked);
    if (!trial.succeeded('AuthZReq', said)) continue;
    const { Allow, Msg = '' } = trial.read('AuthZReq', said);
    if (!Allow) denials.push({ allow: Allow, message: Msg, said });
  }
  return denials;
}
