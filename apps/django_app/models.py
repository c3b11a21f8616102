from django.db import models


class User(models.Model):
    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=100)
    email = models.CharField(max_length=254, unique=True)

    class Meta:
        app_label = "users"
        db_table = "users"
        managed = False

    def to_json(self):
        return {"id": self.id, "name": self.name, "email": self.email}

    def to_json_with_posts(self):
        posts = [{"id": post.id, "title": post.title} for post in self.posts.all()]
        return {**self.to_json(), "posts": posts}


class Post(models.Model):
    id = models.BigAutoField(primary_key=True)
    author = models.ForeignKey(User, models.DO_NOTHING, related_name="posts")  # the database cascades
    title = models.CharField(max_length=200)
    body = models.TextField()

    class Meta:
        app_label = "users"
        db_table = "posts"
        managed = False
        ordering = ("id",)

    def to_json(self):
        author = {"id": self.author.id, "name": self.author.name}
        return {"id": self.id, "title": self.title, "body": self.body, "author": author}
