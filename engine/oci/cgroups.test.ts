import { expect, test } from 'vitest';
import { cgroupPlace, checkCgroupParent, slicePath } from './cgroups.js';
import { Runtimes } from './runtimes.js';

test('cgroupfs: a directory below the parent', () => {
  const config = { cgroupDriver: 'cgroupfs', cgroupParent: '' };
  expect(cgroupPlace(config, '', 'id')).toEqual({ specified: '/cleat/id', path: '/cleat/id' });
  expect(cgroupPlace(config, '/own/..', 'id').path).toBe('/own/id');
  expect(cgroupPlace({ ...config, cgroupParent: 'all' }, '', 'id').path).toBe('/all/id');
  expect(() => checkCgroupParent(config, '/anything')).not.toThrow();
});

test('systemd: a scope in a slice', () => {
  const config = { cgroupDriver: 'systemd', cgroupParent: '' };
  expect(cgroupPlace(config, '', 'id')).toEqual({
    specified: 'system.slice:cleat:id',
    path: '/system.slice/cleat-id.scope',
  });
  expect(cgroupPlace({ ...config, cgroupParent: 'a-b.slice' }, '', 'id')).toEqual({
    specified: 'a-b.slice:cleat:id',
    path: '/a.slice/a-b.slice/cleat-id.scope',
  });
  expect(cgroupPlace(config, 'user.slice', 'id').path).toBe('/user.slice/cleat-id.scope');
  expect(slicePath('-.slice')).toBe('');
  expect(slicePath('a-b-c.slice')).toBe('a.slice/a-b.slice/a-b-c.slice');
});

test.each(['x', '/a/b.slice', '.slice', 'a--b.slice', '-a.slice', 'a-.slice', 'a.service'])(
  'systemd takes no parent %s',
  (parent) => {
    expect(() => checkCgroupParent({ cgroupDriver: 'systemd' }, parent)).toThrow('should be a valid slice');
  },
);

test('systemd takes slices', () => {
  for (const parent of ['', '-.slice', 'a.slice', 'a-b.slice', 'user-1000.slice'])
    expect(() => checkCgroupParent({ cgroupDriver: 'systemd' }, parent)).not.toThrow();
});

test('the runtime is told who makes the groups', () => {
  const told = (cgroupDriver: string) => {
    const config = { runtimes: { runc: { path: '/bin/true', runtimeArgs: ['--own'] } }, defaultRuntime: 'runc' };
    return new Runtimes({ ...config, cgroupDriver }, () => '/root').command('runc', 'create').runtimeArgs;
  };
  expect(told('systemd')).toEqual(['--own', '--systemd-cgroup', '--root', '/root']);
  expect(told('cgroupfs')).toEqual(['--own', '--root', '/root']);
});
