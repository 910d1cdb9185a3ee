import { run } from '@cleat/linux/process/run';

/** Links that an engine made carry its ID in their alias. */
export async function removeLinks(engineId: string): Promise<void> {
  const { stdout } = await run('ip', ['-json', 'link', 'show']);
  const links = JSON.parse(stdout || '[]') as { ifname?: string; ifalias?: string }[];
  for (const { ifname, ifalias } of links) {
    if (ifname === undefined || ifalias === undefined || !ifalias.includes(engineId)) continue;
    await run('ip', ['link', 'delete', ifname]);
  }
}

/** The engine's own nftables tables, and the rules tagged with its ID that stand in Docker's or the host's chains. */
export async function removeFirewall(engineId: string): Promise<void> {
  const tag = engineId.replaceAll('-', '');
  const { stdout } = await run('nft', ['list', 'tables']);
  for (const line of stdout.split('\n')) {
    const [, family, name] = /^table (\w+) (cleat_\w+)$/.exec(line.trim()) ?? [];
    if (family === undefined || name === undefined) continue;
    if (tag.startsWith(name.slice('cleat_'.length))) await run('nft', ['delete', 'table', family, name]);
  }
  for (const save of ['iptables-save', 'ip6tables-save']) {
    const rules = await run(save, ['-t', 'filter']).catch(() => undefined); // Not installed: no such rules.
    for (const rule of rules?.stdout.split('\n') ?? []) {
      if (!rule.startsWith('-A ') || !(rule.includes(engineId) || rule.includes(tag.slice(0, 12)))) continue;
      await run(save.replace('-save', ''), ['-t', 'filter', ...words(rule.replace('-A', '-D'))]);
    }
  }
}

function words(rule: string): string[] {
  return [...rule.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}
