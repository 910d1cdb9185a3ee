import { suiteTests } from '../../testing/suite-tests.fixture.js';
import { metricsFlaws } from './flaws.fixture.js';
import { HealthyCollector } from './healthy.fixture.js';
import { metricsSuite } from './suite.js';

suiteTests({
  suite: metricsSuite,
  healthy: (directory) => new HealthyCollector(directory),
  flaws: metricsFlaws,
  left: () => [],
});
