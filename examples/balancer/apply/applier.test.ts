import { silentLogger } from '@cleat/protocol/log';
import { expect, test } from 'vitest';
import { wishOf } from '../labels/wish.js';
import type { Candidate } from '../model/plan.js';
import type { Balancer, Rendered } from '../proxies/proxy.js';
import { Applier } from './applier.js';

/** A proxy that takes no configuration with certain hosts in it. */
class FakeBalancer implements Balancer {
  readonly name = 'nginx';
  readonly bad = new Set<string>();
  readonly served: string[] = [];
  validations = 0;
  isRunning = true;
  failing = false;
  serving: string | undefined;

  refusal = () => undefined;
  render: Balancer['render'] = ({ sites }) => {
    const text = sites.map(({ host }) => host).join(' ');
    return { text, tag: text, files: {} };
  };
  async validate({ text }: Rendered) {
    this.validations++;
    const bad = text.split(' ').find((host) => this.bad.has(host));
    return bad && `emerg: ${bad}`;
  }
  async reload({ text }: Rendered) {
    if (this.failing) throw new Error('no');
    this.served.push(text);
    this.serving = text;
  }
  async drain() {}
  statistics = async () => ({ requests: 0, connections: 0 });
  leave() {}
  async [Symbol.asyncDispose]() {}
}

function candidate(name: string): Candidate {
  const { wish } = wishOf({ 'interlock.hostname': name, 'interlock.domain': name });
  if (!wish) throw new Error(name);
  return { id: name, name, created: name, wish, address: { ip: '10.0.0.1', port: 80 }, leaving: false };
}

function applying() {
  const balancer = new FakeBalancer();
  const applier = new Applier(
    balancer,
    () => ({ fault: 'none' }),
    () => undefined,
    silentLogger,
  );
  const all = Array.from({ length: 20 }, (_, n) => candidate(`h${String(n).padStart(2, '0')}`));
  return { balancer, applier, all };
}

test('a configuration that is served is neither validated nor reloaded again', async () => {
  const { balancer, applier, all } = applying();
  await applier.apply(all);
  await applier.apply(all.toReversed());
  expect([balancer.validations, balancer.served.length]).toEqual([1, 1]);
  balancer.isRunning = false;
  await applier.apply(all);
  expect(balancer.served).toHaveLength(2);
});

test('containers that break the configuration are found, named and left out', async () => {
  const { balancer, applier, all } = applying();
  balancer.bad.add('h03').add('h17');
  const { problems } = await applier.apply(all);
  expect(problems.map(({ name, text }) => `${name} ${text}`)).toEqual([
    'h03 its labels make a configuration that nginx refuses: emerg: h03',
    'h17 its labels make a configuration that nginx refuses: emerg: h17',
  ]);
  expect(balancer.serving?.split(' ')).toHaveLength(18);
  expect(balancer.validations).toBeLessThan(20);
  // They stay out without being looked for, until they are others.
  balancer.validations = 0;
  await applier.apply(all);
  expect(balancer.validations).toBe(0);
  balancer.bad.clear();
  await applier.apply(all.filter(({ name }) => name !== 'h03'));
  await applier.apply(all);
  expect(balancer.serving?.split(' ')).toEqual(expect.arrayContaining(['h03']));
});

test('a configuration that is bad without any container, or does not come into service, leaves what is served', async () => {
  const { balancer, applier, all } = applying();
  await applier.apply(all.slice(0, 1));
  balancer.bad.add('');
  await expect(applier.apply([])).rejects.toThrow('nginx refuses the configuration');
  balancer.failing = true;
  await expect(applier.apply(all)).rejects.toThrow('no');
  expect(balancer.serving).toBe('h00');
  expect(applier.counts).toMatchObject({ reloads: 1, failures: 2 });
});
