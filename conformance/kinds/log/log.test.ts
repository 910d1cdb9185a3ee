import { join } from 'node:path';
import { implement } from '@cleat/protocol/extension';
import { logKind } from '@cleat/protocol/kinds/log';
import { expect } from 'vitest';
import { suiteTests } from '../../testing/suite-tests.fixture.js';
import { TestPlugin } from '../../testing/test-plugin.fixture.js';
import { forgetLogFlaws, logFlaws } from './flaws.fixture.js';
import { HealthyLogs } from './healthy.fixture.js';
import { logSuite } from './suite.js';

suiteTests<HealthyLogs>(logSuite, {
  plugin: (directory, flaw) =>
    new TestPlugin(
      join(directory, 'p.sock'),
      () => new HealthyLogs(directory),
      (handlers) => implement(logKind, handlers),
      flaw,
    ),
  flaws: logFlaws,
  forget: forgetLogFlaws,
  empty: (directory) => expect(new HealthyLogs(directory).streams).toEqual({}),
});
