"""What can be told of a submission from its files alone. Nothing here runs, imports or unpickles any of them."""
