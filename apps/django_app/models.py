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
