"""The candidate's journey: a repository to work in, fast feedback, and handing in with a receipt.

wheel       the harness with a challenge's public part, as a file that pip installs
template    editions of what candidates start from, kept as a git repository
new         a repository for one candidate, rendered by copier; pulling a later edition into it
invitation  who was asked what, by when, and where it goes
check       the reviewer's engine with published inputs
contents    what would be handed in, and what would not
submit      from a working tree to a receipt
delivery    to a folder, an intake over HTTPS, or a git remote
git         the one place here that runs git
"""
