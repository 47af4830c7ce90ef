// vrrp_instance { }: not in effect yet, but what contradicts itself is worth a word already.

import type { Report } from '../report.js';
import { type Statement, settingOf } from '../tree.js';
import { textOf } from './settings.js';

export function checkVrrpInstance(instance: Statement, report: Report): void {
  const { block } = instance;
  if (block === undefined || textOf(block, 'state') !== 'MASTER') return;
  const nopreempt = settingOf(block, 'nopreempt');
  if (nopreempt !== undefined) {
    const message =
      'nopreempt works only from state BACKUP: with state MASTER this router takes over when it starts';
    report.add('nopreempt-master', nopreempt.keyword, message, 'write state BACKUP');
  }
  const delay = settingOf(block, 'preempt_delay');
  if (delay !== undefined) {
    const message = 'preempt_delay works only from state BACKUP';
    report.add('no-effect', delay.keyword, message, 'write state BACKUP');
  }
}
