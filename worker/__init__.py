"""The data plane: tasks and what runs them. It never imports langgraph; torch only inside tasks."""
