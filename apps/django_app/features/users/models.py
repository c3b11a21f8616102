from models import Post, User

__all__ = ["Post", "User"]
