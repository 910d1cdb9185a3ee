import { join } from 'node:path';
import { implement } from '@cleat/protocol/extension';
import { metricsKind } from '@cleat/protocol/kinds/metrics';
import { suiteTests } from '../../testing/suite-tests.fixture.js';
import { TestPlugin } from '../../testing/test-plugin.fixture.js';
import { forgetMetricsFlaws, metricsFlaws } from './flaws.fixture.js';
import { HealthyCollector } from './healthy.fixture.js';
import { metricsSuite } from './suite.js';

suiteTests<HealthyCollector>(metricsSuite, {
  plugin: (directory, flaw) =>
    new TestPlugin(
      join(directory, 'p.sock'),
      () => new HealthyCollector(directory),
      (handlers) => implement(metricsKind, handlers),
      flaw,
    ),
  flaws: metricsFlaws,
  forget: forgetMetricsFlaws,
});
