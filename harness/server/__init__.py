"""The intake: invitations, uploads, receipts, and the queue in which submissions are graded."""
